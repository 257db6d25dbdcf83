/* SPDX-License-Identifier: MIT */
/*
 * html_style.c - how every page looks, and the colours that charts share with it
 *
 * Each colour has a name and two values. Text and its background contrast by 4.5 to 1 and lines by
 * 3 to 1 in both (WCAG 2.2, 1.4.3 and 1.4.11). On paper it is always light.
 */
#include "agent/report/html_style.h"

#define DARK \
	"--paper:#0d1117;--ink:#e6edf3;--dim:#9da7b1;--rule:#3d444d;--band:#1b222b;" \
	"--cut:#46270f;--read:#3fb950;--write:#58a6ff;--bad:#ff7b72;--warn:#e3a03a;" \
	"--good:#3fb950;--loud:#4d1f1c;--link:#6cb6ff"
#define LIGHT \
	"--paper:#fff;--ink:#1f2328;--dim:#59636e;--rule:#c8d1da;--band:#f0f3f6;" \
	"--cut:#fbdcc4;--read:#1a7f37;--write:#0969da;--bad:#cf222e;--warn:#9a5b00;" \
	"--good:#1a7f37;--loud:#ffe5e2;--link:#0759b8"

const char html_style[] =
	":root{color-scheme:light dark;" LIGHT "}"
	"@media screen and (prefers-color-scheme:dark){:root{" DARK "}}"
	"*{box-sizing:border-box}"
	"html{font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
	"body{margin:0 auto;max-width:72rem;padding:0 1rem 3rem;background:var(--paper);"
	"color:var(--ink);overflow-wrap:break-word}"
	"a{color:var(--link)}"
	":focus-visible{outline:3px solid var(--link);outline-offset:2px}"
	"main:focus{outline:none}"
	".skip{position:absolute;left:-99rem;padding:.5rem 1rem;background:var(--paper)}"
	".skip:focus{left:1rem;top:.5rem;z-index:1}"
	"h1{font-size:1.5rem;line-height:1.25;margin:1.5rem 0 .5rem}"
	"h2{font-size:1.25rem;margin:2.5rem 0 .5rem;padding-top:.75rem;"
	"border-top:1px solid var(--rule)}"
	"h3{font-size:1.05rem;margin:1.5rem 0 .25rem}"
	"p{margin:.5rem 0;max-width:48rem}"
	"ul{margin:.5rem 0;padding-left:1.25rem}"
	"nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;padding:0;"
	"margin:1rem 0 0}"
	"nav a{display:inline-block;padding:.2rem 0}"
	".letters{display:inline-block;font-size:2.25rem;font-weight:700;line-height:1.2;"
	"margin:0 .75rem 0 0}"
	".verdict{font-size:1.15rem;margin:.5rem 0}"
	".loud{background:var(--loud);border-left:.4rem solid var(--bad);padding:.6rem .9rem;"
	"font-weight:600;max-width:none}"
	".dim{color:var(--dim)}"
	".good{color:var(--good);font-weight:600}"
	".bad{color:var(--bad);font-weight:600}"
	".warn{color:var(--warn);font-weight:600}"
	".scroll{overflow-x:auto;margin:.75rem 0 1.25rem}"
	"table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}"
	"caption{text-align:left;font-weight:600;padding:.25rem 0}"
	"th,td{padding:.25rem .6rem;border-bottom:1px solid var(--rule);text-align:right;"
	"vertical-align:top}"
	"thead th{border-bottom:2px solid var(--dim)}"
	"th:first-child{text-align:left}"
	"tbody th{font-weight:600;white-space:nowrap}"
	"td.t,th.t{text-align:left;min-width:8rem}"
	"td.heat{text-align:center}"
	"dl{display:grid;grid-template-columns:minmax(8rem,auto) 1fr;gap:.15rem 1rem;margin:.75rem 0}"
	"dt{color:var(--dim)}dd{margin:0}"
	"figure{margin:1rem 0 1.75rem}"
	"figcaption{font-weight:600;margin-bottom:.25rem}"
	".note{color:var(--dim);font-size:.92rem;font-weight:400}"
	".key{font-size:.92rem;font-weight:400;margin:.15rem 0}"
	".key span{white-space:nowrap;margin-right:1rem}"
	".key i{display:inline-block;width:.8rem;height:.8rem;margin-right:.35rem;"
	"vertical-align:-.05rem;border:1px solid var(--dim)}"
	"svg,img{display:block;width:100%;height:auto}"
	"svg{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;color:var(--ink)}"
	".narrow{display:none}"
	".c-read{background:var(--read)}.c-write{background:var(--write)}"
	".c-bad{background:var(--bad)}.c-warn{background:var(--warn)}.c-cut{background:var(--cut)}"
	".c-band{background:var(--band)}.c-paper{background:var(--paper)}.c-ink{background:var(--ink)}"
	".f-read{fill:var(--read)}.f-write{fill:var(--write)}.f-bad{fill:var(--bad)}"
	".f-warn{fill:var(--warn)}.f-cut{fill:var(--cut)}.f-band{fill:var(--band)}"
	".f-ink{fill:var(--ink)}.f-dim{fill:var(--dim)}"
	"footer{margin-top:3rem;padding-top:.75rem;border-top:1px solid var(--rule);"
	"color:var(--dim);font-size:.92rem}"
	"@media screen and (max-width:40rem){"
	"html{font-size:15px}.wide{display:none}.narrow{display:block}"
	"dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}"
	"th,td{padding:.25rem .4rem}}"
	"@media print{"
	"body{max-width:none;padding:0;font-size:10pt}nav,.skip{display:none}"
	"*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
	"h2{break-after:avoid}figure,tr,.loud{break-inside:avoid}"
	".scroll{overflow:visible}table{font-size:8.5pt}th,td{padding:.15rem .35rem}"
	"td.t,th.t{min-width:0}a{color:inherit}}";
