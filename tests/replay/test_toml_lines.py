"""Where in a TOML file each key stands."""

from __future__ import annotations

from rtbridge.replay.toml_lines import lines_of


def test_lines_are_found_in_every_shape_of_toml() -> None:
    text = '''a = 1
b.c = """
x = 9
[y]
"""  # [z]
"q.r" = [ # first
  {k = 1, "l m" = ']'},

  {k = [2,
        3]},
]
[t.u]
v = {w = {x = "}"}}
[[s]]
[[s.n]]
d = 1979-05-27T07:32:00Z
[[s]]
e = true
'''
    lines = lines_of(text)
    assert lines["b", "c"] == 2
    assert lines["q.r",] == 6
    assert lines["q.r", 0, "l m"] == 7
    assert lines["q.r", 1, "k", 1] == 10
    assert lines["t", "u"] == 12
    assert lines["t", "u", "v", "w", "x"] == 13
    assert lines["s", 0] == 14
    assert lines["s", 0, "n", 0, "d"] == 16
    assert lines["s", 1, "e"] == 18
