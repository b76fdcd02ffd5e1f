"""The names of the mesh: against MediaPipe's own rings, and against the mirror image of a face."""

import ast
from pathlib import Path

import pytest

from pipelines import mesh
from pipelines.measure.shape import partners

ROOT = Path(__file__).parents[1]


@pytest.mark.draws
def test_rings_are_mediapipes_and_go_from_neighbour_to_neighbour() -> None:
    from mediapipe.python.solutions import face_mesh_connections as theirs

    for ring, edges in (
        (mesh.OVAL, theirs.FACEMESH_FACE_OVAL),
        (mesh.RIGHT_EYE_RING, theirs.FACEMESH_RIGHT_EYE),
        (mesh.LEFT_EYE_RING, theirs.FACEMESH_LEFT_EYE),
    ):
        ours = {frozenset(edge) for edge in zip(ring, (*ring[1:], ring[0]), strict=True)}
        assert ours == {frozenset(edge) for edge in edges}
    lips = {frozenset(edge) for edge in theirs.FACEMESH_LIPS}
    outside = zip(mesh.LIPS_RING, (*mesh.LIPS_RING[1:], mesh.LIPS_RING[0]), strict=True)
    assert {frozenset(edge) for edge in outside} < lips
    inside = zip(mesh.INNER_LIPS_RING, (*mesh.INNER_LIPS_RING[1:], mesh.INNER_LIPS_RING[0]), strict=True)
    assert {frozenset(edge) for edge in inside} < lips
    assert set(mesh.LIPS) == {point for edge in lips for point in edge}
    brows = theirs.FACEMESH_RIGHT_EYEBROW | theirs.FACEMESH_LEFT_EYEBROW
    assert set(mesh.BROWS) <= {point for edge in brows for point in edge}
    irises = theirs.FACEMESH_RIGHT_IRIS | theirs.FACEMESH_LEFT_IRIS
    assert {point for pair in mesh.IRIS_DIAMETERS for point in pair} == {
        point for edge in irises for point in edge
    }


@pytest.mark.parametrize(
    "name",
    [
        "PUPILS",
        "CHEEKBONES",
        "JAW_CORNERS",
        "LOWER_JAW",
        "MOUTH_CORNERS",
        "RIGHT_EYE",
        "CHEEK_PATCHES",
        "UNDER_EYES",
    ],
)
def test_right_and_left_are_each_others_mirror_image(name: str) -> None:
    if name == "RIGHT_EYE":
        (outer, inner, pupil, cheek, lids), left = mesh.RIGHT_EYE, mesh.LEFT_EYE
        right_points = (outer, inner, pupil, cheek, *(point for pair in lids for point in pair))
        left_points = (*left[:4], *(point for pair in left.lids for point in pair))
    else:
        right, left = getattr(mesh, name)
        right_points, left_points = (right, left) if isinstance(right, tuple) else ((right,), (left,))
    assert [int(partners()[point]) for point in right_points] == list(left_points)


def test_no_other_module_has_an_index_of_the_mesh() -> None:
    of_the_mesh = {"landmarks", "points", "mesh", "front", "places"}
    for package in ("pipelines", "commission", "evaluation", "training", "bench", "pages"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Subscript):
                    continue
                owner = node.value.attr if isinstance(node.value, ast.Attribute) else ""
                owner = node.value.id if isinstance(node.value, ast.Name) else owner
                numbers = [n.value for n in ast.walk(node.slice) if isinstance(n, ast.Constant)]
                high = [number for number in numbers if isinstance(number, int) and number > 2]
                assert owner not in of_the_mesh or not high, f"{path.name}, line {node.lineno}: {high}"
