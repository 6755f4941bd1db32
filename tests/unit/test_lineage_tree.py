"""A lineage tree ends, loses nothing that may be seen, and names nothing that may not."""

from __future__ import annotations

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.services.lineage.tree import Branch, Direction, lineage_tree, mermaid, mermaid_text


def edge(upstream: str, downstream: str, kind: EdgeKind = EdgeKind.DERIVES) -> Edge:
    return Edge(upstream=DatasetId(upstream), downstream=DatasetId(downstream), kind=kind)


def tree(pairs: str, *, root: str = "r", direction: Direction = "up", hidden: str = "") -> list[Branch]:
    edges = [edge(*pair.split(">")) for pair in pairs.split() if ">" in pair]
    edges += [edge(*pair.split("="), kind=EdgeKind.SAME_DATA) for pair in pairs.split() if "=" in pair]
    return lineage_tree(
        edges, root=DatasetId(root), direction=direction, may_find=lambda dataset: dataset not in hidden.split()
    )


def text(lines: list[Branch]) -> str:
    marks = {(False, False): "", (True, False): "*", (False, True): "="}
    return " ".join(
        f"{line.depth}{line.dataset or line.hidden}{marks[line.is_repeated, line.is_same]}" for line in lines
    )


def test_the_tree_goes_up_or_down() -> None:
    """Each line is one dataset one step further than the line above it that is less deep."""
    assert text(tree("a>r b>a c>r")) == "0r 1a 2b 1c"
    assert text(tree("r>a a>b r>c", direction="down")) == "0r 1a 2b 1c"


def test_a_diamond_and_a_cycle_are_followed_once() -> None:
    """What was shown before is marked and not followed again."""
    assert text(tree("a>r b>r c>a c>b d>c")) == "0r 1a 2c 3d 1b 2c*"
    assert text(tree("a>r r>a a>a")) == "0r 1a 2r*"


def test_hidden_datasets_are_a_number_and_hide_nothing_visible() -> None:
    """Hidden neighbours are one line with their number; what may be found beyond them is below it."""
    assert text(tree("h>r", hidden="h")) == "0r 11"
    assert text(tree("h>r i>r a>r", hidden="h i")) == "0r 1a 12"
    assert text(tree("h>r i>h b>i", hidden="h i")) == "0r 12 2b"
    assert text(tree("h>r r>h", hidden="h")) == "0r 11 2r*"


def test_another_name_of_a_thing_is_beside_it_whichever_way_one_goes() -> None:
    """It is marked, what lies beyond it follows, and nobody is led back over it."""
    assert text(tree("f=r a>f")) == text(tree("r=f a>f")) == "0r 1f= 2a"
    assert text(tree("f=r f>v r>w", direction="down")) == "0r 1f= 2v 1w"
    assert text(tree("f=r f=g g=r")) == "0r 1f= 2g="
    assert text(tree("h=r a>h", hidden="h")) == "0r 11 2a"


def test_a_chain_of_100000_and_a_star_of_100000_are_walked_whole() -> None:
    """There is no cap on depth or width, and no recursion to run out of."""
    chain = [edge(str(at + 1), str(at)) for at in range(100_000)]
    star = [edge(str(at), "r") for at in range(100_000)]

    deep = lineage_tree(chain, root=DatasetId("0"), direction="up", may_find=lambda _dataset: True)
    wide = lineage_tree(star, root=DatasetId("r"), direction="up", may_find=lambda _dataset: True)
    dark = lineage_tree(chain, root=DatasetId("0"), direction="up", may_find=lambda _dataset: False)

    assert deep[-1].depth == 100_000
    assert len(wide) == 100_001
    assert dark[1:] == [Branch(depth=1, dataset=None, hidden=100_000)]


def test_mermaid_draws_each_dataset_once() -> None:
    """Arrows point downstream; a restricted node has a number and no name."""
    lines = tree("a>r b>r c>a c>b h>a", hidden="h")

    chart = mermaid(lines, label=lambda dataset: f"cdc.public.{dataset}", direction="up")

    assert chart.splitlines() == [
        "flowchart LR",
        '    n0["cdc.public.r"]',
        '    n1["cdc.public.a"]',
        '    n2["cdc.public.c"]',
        '    n3["1 restricted upstream"]',
        '    n4["cdc.public.b"]',
        "    n1 --> n0",
        "    n2 --> n1",
        "    n3 --> n1",
        "    n4 --> n0",
        "    n2 --> n4",
    ]


def test_a_name_cannot_break_out_of_a_mermaid_label() -> None:
    """Quotes, markup, line breaks, entity marks and bidi overrides are written as numbers."""
    assert mermaid_text('a"];click n0 "javascript:x"\n<b>#`é\u202e') == (
        "a#34;#93;#59;click n0 #34;javascript:x#34;#10;#60;b#62;#35;#96;#233;#8238;"
    )
