/* SPDX-License-Identifier: MIT */
/* crc32c.h - the checksum of every record and frame: CRC-32C (Castagnoli), as in RFC 3720 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c() - continue @crc (0 to begin) over @len bytes. crc32c(0, "123456789", 9) = 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
