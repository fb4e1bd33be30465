"""How an exported session looks: one style sheet, in light and dark, without a font or an image from elsewhere."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --card: #ffffff; --line: #e4e0d9; --text: #24221f; --soft: #77716a;
  --user: #2f5fa7; --answer: #35694a; --mark: #8a5a12; --bad: #a8322a; --code: #f4f1ec;
  --minus: #fbe6e3; --plus: #e2f2e6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #191816; --card: #211f1d; --line: #3a3733; --text: #e8e4dd; --soft: #9c958b;
    --user: #8db4ee; --answer: #8fcaa5; --mark: #e0b267; --bad: #ee8f86; --code: #2a2825;
    --minus: #45211e; --plus: #1e3a28;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 2.5rem 1rem 5rem; background: var(--page); color: var(--text);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", sans-serif;
}
header, main, footer { max-width: 52rem; margin: 0 auto; }
h1 { margin: 0 0 .6rem; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 2rem; font-size: .875rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
article {
  margin: 0 0 1rem; padding: .9rem 1.1rem; background: var(--card);
  border: 1px solid var(--line); border-left: 3px solid var(--line); border-radius: 6px;
}
article.user { border-left-color: var(--user); }
article.assistant { border-left-color: var(--answer); }
article.system { border-left-color: var(--mark); }
article > h2 { display: flex; gap: .8rem; align-items: baseline; margin: 0 0 .5rem; font-size: .875rem; }
article.user > h2 { color: var(--user); }
article.assistant > h2 { color: var(--answer); }
h2 small { color: var(--soft); font-weight: normal; }
h2 small:last-child { margin-left: auto; }
.said { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
.said + * { margin-top: .6rem; }
code, pre { font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { padding: .1em .3em; background: var(--code); border-radius: 3px; }
pre {
  margin: .5rem 0; padding: .7rem .9rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--code); border-radius: 4px; unicode-bidi: isolate;
}
pre del, pre ins { display: block; text-decoration: none; }
del { background: var(--minus); }
ins { background: var(--plus); }
details { margin: .5rem 0; border: 1px solid var(--line); border-radius: 4px; }
summary { padding: .35rem .7rem; cursor: pointer; overflow-wrap: anywhere; font-size: .9rem; }
summary b { margin-right: .5rem; }
details > :not(summary) { margin-left: .7rem; margin-right: .7rem; }
details.bad { border-color: var(--bad); }
details.bad > summary b, .fault { color: var(--bad); }
details.thinking { color: var(--soft); }
img { display: block; max-width: 100%; margin: .5rem 0; border-radius: 4px; }
.note { margin: 0 0 1rem; color: var(--soft); font-size: .85rem; text-align: center; overflow-wrap: anywhere; }
.mark { margin: 0 0 1rem; padding: .6rem 1rem; border: 1px dashed var(--mark); border-radius: 6px; }
.mark > b { color: var(--mark); }
footer { color: var(--soft); font-size: .85rem; }
@media print { body { padding: 0; } article, .mark { break-inside: avoid; } }
"""
