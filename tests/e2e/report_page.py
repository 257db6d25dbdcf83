# SPDX-License-Identifier: MIT
# report_page.py - what a page must be for every reader, checked without a browser
#
#	python3 report_page.py FILE...
#
# No request to any host, no script; a language, one <h1>, headings in order, identifiers unique and
# links to them alive; each table with a caption and heads, each picture with words, each part that
# scrolls reachable and named; text and background of both themes apart by 4.5 to 1 (WCAG 1.4.3).
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.wrong, self.ids, self.links, self.headings = [], [], [], []
        self.open, self.tables, self.landmarks, self.style = [], [], [], ""
        self.policy = self.lang = self.title = None

    def say(self, what):
        self.wrong.append("line %d: %s" % (self.getpos()[0], what))

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if len(a) != len(attrs):
            self.say("<%s> has an attribute twice" % tag)
        if tag in ("script", "link", "iframe", "object", "embed", "form", "base"):
            self.say("<%s> in a page that stands by itself" % tag)
        for name, value in attrs:
            if name.startswith("on"):
                self.say("<%s %s>: a script" % (tag, name))
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                # A link to a page beside this one is followed by its reader or by nobody.
                beside = tag == "a" and re.fullmatch(r"[\w.-]+(/[\w.-]+)*\.html", value or "")
                if not beside and not re.match(r"#|data:image/", value or ""):
                    self.say("<%s %s=%s>: a request" % (tag, name, value[:60]))
            if name == "style" and not re.fullmatch(r"--a:[0-9.]+", value):
                self.say("<%s style=%s>" % (tag, value[:60]))
        if "id" in a:
            self.ids.append(a["id"])
        if a.get("href", "").startswith("#"):
            self.links.append(a["href"][1:])
        self.element(tag, a)
        if tag not in VOID:
            self.open.append(tag)

    def element(self, tag, a):
        if tag == "html":
            self.lang = a.get("lang")
        if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy":
            self.policy = a.get("content")
        if tag in ("header", "nav", "main", "footer"):
            self.landmarks.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables.append({"caption": 0, "th": 0})
        if tag == "caption":
            self.tables[-1]["caption"] += 1
        if tag == "th":
            self.tables[-1]["th"] += 1
            if a.get("scope") not in ("col", "row"):
                self.say("<th> without scope")
        if tag == "img" and not a.get("alt"):
            self.say("<img> without words")
        if tag == "svg" and not (a.get("role") == "img" and a.get("aria-label")):
            self.say("<svg> without words")
        if a.get("class", "").startswith("scroll"):
            if not (a.get("tabindex") == "0" and a.get("role") and a.get("aria-label")):
                self.say("a part that scrolls, without a name or out of reach")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.say("</%s> closes nothing" % tag)

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        if self.open and self.open[-1] == "title":
            self.title = data

    def judge(self):
        self.say_if(self.open, "left open: %s" % self.open)
        self.say_if(self.lang != "en" or not self.title, "no language or no title")
        self.say_if("default-src 'none'" not in (self.policy or ""), "no policy")
        self.say_if("script-src" in (self.policy or ""), "scripts are allowed")
        self.say_if(self.headings.count(1) != 1, "not one <h1>")
        for before, after in zip([0] + self.headings, self.headings):
            self.say_if(after > before + 1, "<h%d> after <h%d>" % (after, before))
        self.say_if(len(set(self.ids)) != len(self.ids), "an id stands twice")
        for link in self.links:
            self.say_if(link not in self.ids, "#%s leads nowhere" % link)
        for mark in ("header", "nav", "main", "footer"):
            self.say_if(self.landmarks.count(mark) != 1, "not one <%s>" % mark)
        for table in self.tables:
            self.say_if(table["caption"] != 1 or table["th"] < 2, "a table without heads")
        self.say_if(not self.tables, "no table")
        self.say_if(re.search(r"url\(|@import|//", self.style), "the style makes a request")
        self.contrasts()

    def say_if(self, bad, what):
        if bad:
            self.wrong.append(what)

    def contrasts(self):
        """Of the named colours, in each block that sets them."""
        themes = re.findall(r":root\{([^}]*--paper[^}]*)\}", self.style)
        self.say_if(len(themes) != 2, "not two themes")
        for theme in themes:
            colour = dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})(?=[;}]|$)", theme))
            pairs = [(text, on) for text in ("ink", "dim", "bad", "warn", "good", "link")
                     for on in ("paper",)]
            pairs += [("ink", "band"), ("ink", "cut"), ("ink", "loud")]
            for text, on in pairs:
                ratio = contrast(colour[text], colour[on])
                self.say_if(ratio < 4.5, "%s on %s: %.2f to 1" % (text, on, ratio))
            for line in ("read", "write", "bad", "warn"):
                for on in ("paper", "band", "cut"):
                    ratio = contrast(colour[line], colour[on])
                    self.say_if(ratio < 3, "%s on %s: %.2f to 1" % (line, on, ratio))


def luminance(colour):
    h = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(h[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def main(paths):
    bad = 0
    for path in paths:
        page = Page()
        page.feed(open(path, encoding="utf-8").read())
        page.close()
        page.judge()
        for what in page.wrong:
            print("%s: %s" % (path, what))
        bad += len(page.wrong)
    return 1 if bad or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
