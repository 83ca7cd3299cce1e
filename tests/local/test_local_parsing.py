"""Templates that the endpoint parses by libyaml."""

from __future__ import annotations

import json

import pytest
import yaml
from ministack.services.cloudformation import engine

from local.ministack.parsing import parse_by_libyaml
from tests.template import ROOT


def test_libyaml_gives_the_values_of_pythons_own_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    edges = "a: !GetAtt B.C.D\nb: 2010-09-09\nc: [yes, 0o7, 010, 1e3, ~, !Sub '${X}']\nd: {e: !Ref F}\n"
    own = [json.dumps(engine._parse_template(text)) for text in (template, edges)]
    monkeypatch.setattr(engine, "CfnLoader", engine.CfnLoader)  # put back afterwards
    parse_by_libyaml()
    assert [json.dumps(engine._parse_template(text)) for text in (template, edges)] == own
    assert json.loads(own[1])["a"] == {"Fn::GetAtt": ["B", "C.D"]}
    assert json.loads(own[1])["b"] == "2010-09-09"


def test_libyaml_keeps_what_ministacks_loader_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loud(yaml.SafeLoader):
        def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
            return str(node.value).upper()

    monkeypatch.setattr(engine, "CfnLoader", Loud)
    parse_by_libyaml()
    assert engine._parse_template("Resources: x") == {"RESOURCES": "X"}
