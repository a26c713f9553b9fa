#!/usr/bin/env python3
"""Writes infra.yaml: what template.yaml has beside the functions, for those who deploy these with cargo-lambda alone.

    python deploy/infra.py            writes it
    python deploy/infra.py --check    fails when it is not what would be written

Runs with the Python that has the SAM CLI, which knows what the events of a function become.
"""

import copy
import difflib
import json
import logging
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
logging.disable(logging.WARNING)

import yaml  # noqa: E402
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

HEAD = """\
# Made from template.yaml by deploy/infra.py; change it there. Tables, roles, queues, logs, alarms, and what runs the
# functions that have no URL, for functions that deploy/cargo-lambda.sh deploys.
"""
# What the script sets itself: it knows the URL only afterwards, and an output would show the secret.
BY_SCRIPT = {"PAY_NOTIFY_URL", "PAY_ORIGIN_SECRET", "PAY_RELEASE"}
TRIGGERS = {"AWS::Lambda::EventSourceMapping", "AWS::Scheduler::Schedule", "AWS::Lambda::EventInvokeConfig"}
# Who deploys functions by hand gives `transfer` a network by hand too (docs/transfer.md).
DECIDED = {
    "IsFunctionUrl": True,
    "IsHttpApi": False,
    "HasHttpApiDomain": False,
    "HasTransferEgress": False,
    "MakesTransferEgress": False,
}
LEFT_OUT = ("AWS::Serverless::Function", "AWS::Lambda::Url", "AWS::Lambda::Permission", "AWS::ApiGatewayV2::")


def slug(function):
    """create-payment of CreatePaymentFunction."""
    return re.sub(r"(?<!^)([A-Z])", r"-\1", function.removesuffix("Function")).lower()


def renamed(node, functions):
    """The node with the functions by their names, because they are no resources here."""
    if isinstance(node, list):
        return [renamed(item, functions) for item in node]
    if not isinstance(node, dict):
        return node
    target = node.get("Ref", "")
    if target in functions:
        return {"Fn::Sub": "${AWS::StackName}-" + slug(target)}
    if isinstance(target, str) and target.removesuffix("Aliaslive") in functions:
        name = slug(target.removesuffix("Aliaslive"))
        arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-" + name
        return {"Fn::Sub": arn + ":live"}
    return {key: renamed(value, functions) for key, value in node.items()}


def by_urls(node):
    """The node where requests come in by Function URLs, the only way that the script knows."""
    if isinstance(node, list):
        return [by_urls(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "Fn::If" in node and node["Fn::If"][0] in DECIDED:
        condition, yes, no = node["Fn::If"]
        return by_urls(yes if DECIDED[condition] else no)
    return {key: by_urls(value) for key, value in node.items()}


def references(node):
    """Names that the node refers to, and conditions that it asks."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("Ref", "Condition") and isinstance(value, str):
                yield value
            elif key == "Fn::If":
                yield value[0]
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.split(".")[0]
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                yield from re.findall(r"\$\{([A-Za-z0-9]+)", text)
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def infra():
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for name in [n for n, r in template["Resources"].items() if r.get("Condition", "").endswith("TransferEgress")]:
        del template["Resources"][name]
    functions = {n for n, r in template["Resources"].items() if r["Type"] == "AWS::Serverless::Function"}
    globals = template["Globals"]["Function"]
    common = globals["Environment"]["Variables"]
    own = {n: template["Resources"][n]["Properties"].get("Environment", {}).get("Variables", {}) for n in functions}
    source = copy.deepcopy(template)
    for name in functions:
        source["Resources"][name]["Properties"]["CodeUri"] = "s3://bucket/key"
    translated = Translator({}, Parser()).translate(source, {})["Resources"]

    resources = {}
    for name, item in template["Resources"].items():
        of_api = not DECIDED.get(item.get("Condition"), True)
        if not item["Type"].startswith(LEFT_OUT) and not of_api and name not in ("DeploymentRole", "NotifyErrorsAlarm"):
            resources[name] = item
    for name, item in translated.items():
        of_schedule = item["Type"] == "AWS::IAM::Role" and name not in template["Resources"]
        if item["Type"] in TRIGGERS or of_schedule:
            resources[name] = {k: v for k, v in item.items() if k not in ("DependsOn", "Metadata")} | {"Condition": "HasFunctions"}
    for item in resources.values():
        if item["Type"] == "AWS::Logs::LogGroup":
            # The group that Lambda takes for a function of this name.
            text = item["Properties"]["LogGroupName"]["Fn::Sub"]
            item["Properties"]["LogGroupName"] = {"Fn::Sub": text.replace("${AWS::StackName}/", "${AWS::StackName}-")}
        if item.get("Condition") == "IsFunctionUrl":
            del item["Condition"]

    def lines(variables):
        """The variables as a file that cargo-lambda reads."""
        pairs = [{"Fn::Join": ["=", [key, value]]} for key, value in variables.items() if key not in BY_SCRIPT]
        return {"Fn::Join": ["\n", pairs]} if pairs else None

    # How each function logs, as the AWS CLI takes it.
    logging = [{"Fn::Join": ["=", [key, value]]} for key, value in globals["LoggingConfig"].items()]
    outputs = {
        "Environment": {"Value": lines(common)},
        "LoggingConfig": {"Value": {"Fn::Join": [",", logging]}},
        "Tracing": {"Value": globals["Tracing"]},
        "DashboardName": template["Outputs"]["DashboardName"],
    }
    for name in sorted(functions):
        stem = name.removesuffix("Function")
        outputs[f"{stem}RoleArn"] = {"Value": {"Fn::GetAtt": [f"{stem}Role", "Arn"]}}
        if lines(own[name]):
            outputs[f"{stem}Environment"] = {"Value": lines(own[name])}
    resources, outputs = (renamed(by_urls(section), functions) for section in (resources, outputs))

    parameters = template["Parameters"] | {
        "FunctionsAreThere": {
            "Type": "String",
            "Default": "false",
            "AllowedValues": ["true", "false"],
            "Description": "deploy/cargo-lambda.sh says true when it has deployed the functions; then they are run",
        }
    }
    conditions = template["Conditions"] | {"HasFunctions": {"Fn::Equals": [{"Ref": "FunctionsAreThere"}, "true"]}}
    used = set(references([resources, outputs]))
    while True:
        more = used | {ref for name in used if name in conditions for ref in references(conditions[name])}
        if more == used:
            break
        used = more
    rules = {n: r for n, r in template["Rules"].items() if set(references(r)) <= used}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "vk-pay without its functions, which cargo-lambda deploys",
        "Parameters": {name: item for name, item in parameters.items() if name in used},
        "Rules": rules,
        "Conditions": {name: item for name, item in conditions.items() if name in used},
        "Resources": resources,
        "Outputs": outputs,
    }


def main():
    plain = json.loads(json.dumps(infra(), default=str))
    text = HEAD + yaml.safe_dump(plain, sort_keys=False, default_flow_style=None, width=116)
    file = ROOT / "infra.yaml"
    if sys.argv[1:] != ["--check"]:
        file.write_text(text)
        return 0
    there = file.read_text() if file.exists() else ""
    sys.stdout.writelines(difflib.unified_diff(there.splitlines(True), text.splitlines(True), "infra.yaml", "made"))
    if there != text:
        print("infra.yaml is not what deploy/infra.py makes of template.yaml")
    return 0 if there == text else 1


if __name__ == "__main__":
    sys.exit(main())
