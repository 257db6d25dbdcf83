/* SPDX-License-Identifier: MIT */
/* pcapng_test.c - blocks of a capture as a reader of the format finds them, whatever was written */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/lab/pcapng.h"
#include "tests/lib/test.h"

#define FILE_MAX (1u << 20)
#define SECTION 0x0a0d0d0au
#define PACKET 6u

static uint8_t file[FILE_MAX];

static uint32_t word(size_t at)
{
	uint32_t value;

	memcpy(&value, file + at, sizeof value);
	return value;
}

/* Every block has its length in front and behind, a multiple of four. Return: how many packets,
 * whose bytes and padding fit in their blocks; the captured lengths in @ret_caught. */
static unsigned packets(size_t size, uint32_t *ret_caught, unsigned max)
{
	unsigned n = 0;

	assert_int_equal(word(0), SECTION);
	for (size_t at = 0; at < size;) {
		uint32_t len = word(at + 4);

		assert_int_equal(len % 4, 0);
		assert_true(len >= 12 && at + len <= size);
		assert_int_equal(word(at + len - 4), len);
		if (word(at) == PACKET) {
			uint32_t caught = word(at + 20), padded = (caught + 3) / 4 * 4;

			assert_true(n < max);
			assert_true(28 + padded + 4 <= len);
			for (uint32_t i = caught; i < padded; i++)
				assert_int_equal(file[at + 28 + i], 0);
			ret_caught[n++] = caught;
		}
		at += len;
	}
	return n;
}

static size_t read_back(int fd)
{
	ssize_t n = pread(fd, file, sizeof file, 0);

	assert_true(n > 0);
	close(fd);
	return (size_t)n;
}

static int begin(struct pcapng *p, uint64_t max, uint32_t snap)
{
	int fd = memfd_create("capture", MFD_CLOEXEC), copy;

	assert_true(fd >= 0);
	copy = dup(fd);
	assert_int_equal(pcapng_begin(p, fd, max, snap, "n1", "a test"), 0);
	return copy;
}

static void pcapng__pads_frames_of_every_length(void **state)
{
	static struct pcapng p;
	uint8_t bytes[PCAPNG_SNAP_MAX];
	uint32_t caught[128];
	int fd = begin(&p, FILE_MAX, 100);

	(void)state;
	memset(bytes, 0xff, sizeof bytes);
	for (uint32_t len = 60; len < 120; len++)
		assert_int_equal(
			pcapng_frame(&p,
				&(struct pcapng_frame){.t_ns = len, .bytes = bytes, .len = len}),
			0);
	assert_int_equal(pcapng_end(&p, 1000, 60, 0), 0);
	assert_int_equal(packets(read_back(fd), caught, 128), 60);
	for (uint32_t i = 0; i < 60; i++)
		assert_int_equal(caught[i], 60 + i < 100 ? 60 + i : 100);
}

static void pcapng__keeps_notes_of_every_length_whole(void **state)
{
	static struct pcapng p;
	char text[2 * PCAPNG_NOTE_MAX + 1] = "";
	uint32_t caught[64];
	int fd = begin(&p, FILE_MAX, PCAPNG_SNAP_MAX);
	size_t size;

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		text[i] = 'x';
		assert_int_equal(pcapng_note(&p, i, text), 0);
	}
	/* Longer than there is room for: cut, and still a block. */
	memset(text, 'y', sizeof text - 1);
	assert_int_equal(pcapng_note(&p, 9, text), 0);
	assert_int_equal(pcapng_end(&p, 1000, 0, 0), 0);
	size = read_back(fd);
	assert_int_equal(packets(size, caught, 64), 10);
	assert_non_null(memmem(file, size, "xxxxxxxxx", 9));
	assert_null(memmem(file, size, text, PCAPNG_NOTE_MAX + 1));
}

static void pcapng__leaves_frames_out_when_full_but_no_note(void **state)
{
	static struct pcapng p;
	uint8_t bytes[1000] = {0};
	uint32_t caught[256];
	int fd = begin(&p, 8192, PCAPNG_SNAP_MAX);
	size_t size;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(pcapng_frame(&p,
					 &(struct pcapng_frame){
						 .t_ns = i, .bytes = bytes, .len = sizeof bytes}),
			0);
	assert_in_range(p.left_out, 80, 99);
	assert_int_equal(pcapng_note(&p, 100, "cut n1 / n3"), 0);
	assert_int_equal(pcapng_end(&p, 1000, 100, 0), 0);
	size = read_back(fd);
	(void)packets(size, caught, 256);
	assert_true(size < 16384);
	assert_non_null(memmem(file, size, "cut n1 / n3", 11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcapng__pads_frames_of_every_length),
		cmocka_unit_test(pcapng__keeps_notes_of_every_length_whole),
		cmocka_unit_test(pcapng__leaves_frames_out_when_full_but_no_note),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pcapng", tests, NULL, NULL);
}
