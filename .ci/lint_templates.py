#!/usr/bin/env python3
"""Lints the templates as CloudFormation gets them, for the regions and parameters with which they are deployed.

`sam validate --lint` looks at template.yaml for one region, and at every resource, whatever its condition says. Here it
is translated, its conditions are decided for a set of parameters, what they leave out is dropped, and cfn-lint sees the
rest as the region knows it: Function URLs do not exist in China, and must not be left over where Ingress is HttpApi.

Runs with the Python that has the SAM CLI: `python .ci/lint_templates.py`.
"""

import copy
import json
import logging
import multiprocessing
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
logging.disable(logging.WARNING)

from cfnlint.api import lint  # noqa: E402
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.arn_generator import ArnGenerator  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

GLOBAL = ["us-east-1", "ap-east-1", "ap-southeast-1"]
CHINA = ["cn-north-1", "cn-northwest-1"]
ACCOUNT = "123456789012"


def partition(region):
    return "aws-cn" if region in CHINA else "aws"


def parameter_sets(region):
    """What template.yaml is deployed with, by name."""
    arn = f"arn:{partition(region)}"
    here = f"{region}:{ACCOUNT}"
    options = {
        "AuthType": "AWS_IAM",
        "CorsOrigins": "https://shop.example,https://m.shop.example",
        "PayConfig": "secretsmanager:vk-pay-config",
        "MerchantDocuments": "ssm:/vk-pay/merchants/",
        "ConfigKmsKeyArn": f"{arn}:kms:{here}:key/00000000-0000-4000-8000-000000000000",
        "DataKmsKeyArn": f"{arn}:kms:{here}:key/00000000-0000-4000-8000-000000000001",
        "HandlerFunctionArns": f"{arn}:lambda:{here}:function:deliver",
        "HandlerEventBusArns": f"{arn}:events:{here}:event-bus/deliveries",
        "EventBusArn": f"{arn}:events:{here}:event-bus/shop",
        "AlarmTopicArn": f"{arn}:sns:{here}:alarms",
        "AlarmEmail": "operator@shop.example",
        "AlarmWebhook": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=00000000-0000-4000-8000-000000000003",
        "AlarmWebhookKind": "feishu",
        "SystemLogLevel": "INFO",
        "Tracing": "Active",
        "PermissionsBoundaryArn": f"{arn}:iam::{ACCOUNT}:policy/boundary",
        "DeploymentPreference": "Canary10Percent5Minutes",
        "ClientConcurrency": "50",
        "NotifyConcurrency": "100",
        "BackgroundConcurrency": "5",
        "NotifyMemory": "512",
        "WarmReadUnits": "20000",
        "WarmWriteUnits": "8000",
        "OriginSecret": "a" * 32,
        "Release": "2026-01-01",
        "TransferEgress": "nat",
        "TransferVpcCidr": "10.9.0.0/24",
    }
    table = f"{arn}:dynamodb:{here}:table/orders"
    existing = {
        "TableArn": table,
        "TableStreamArn": f"{table}/stream/2026-01-01T00:00:00.000",
        "CreateBusinessTables": "false",
        "TransferEgress": "own",
        "TransferSubnetIds": "subnet-00000000000000001,subnet-00000000000000002",
        "TransferSecurityGroupIds": "sg-00000000000000001",
        "Dashboard": "false",
        "AlarmWebhook": "https://hooks.slack.com/services/T0/B0/0",
        "AlarmWebhookKind": "slack",
    }
    domain = {
        "HttpApiDomain": "pay.shop.example",
        "HttpApiCertificateArn": f"{arn}:acm:{here}:certificate/00000000-0000-4000-8000-000000000002",
        "HttpApiRate": "500",
    }
    sets = {
        "HttpApi": {"Ingress": "HttpApi"},
        "HttpApi, all options": {"Ingress": "HttpApi", **options, **domain},
        "HttpApi, a table that is there": {"Ingress": "HttpApi", **existing},
    }
    if region in CHINA:
        return sets
    urls = {
        "as it is": {},
        "Function URLs, all options": {**options, "PublicBaseUrl": "https://pay.shop.example"},
        "Function URLs, a table that is there": existing,
    }
    return sets | urls if region == GLOBAL[0] else urls


def edge_sets():
    """What edge.yaml is deployed with, by name."""
    given = {
        "DomainName": "pay.shop.example",
        "CertificateArn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/00000000-0000-4000-8000-000000000002",
        "OriginSecret": "a" * 32,
    }
    doors = ["CreatePayment", "QueryPayment", "Refund", "Transfer", "Login", "Notify"]
    urls = {f"{door}Url": f"https://{door.lower()}.lambda-url.ap-east-1.on.aws/" for door in doors}
    return {
        "Function URLs": {**given, **urls},
        "an HTTP API, servers exempt": {
            **given,
            "ApiUrl": "https://a1b2c3d4e5.execute-api.ap-east-1.amazonaws.com",
            "ServerAddresses": "203.0.113.7/32,203.0.113.8/32",
        },
    }


def infra_sets(region):
    """What infra.yaml is deployed with, by name: its parameters are those of template.yaml that it still needs."""
    needed = yaml_parse((ROOT / "infra.yaml").read_text())["Parameters"].keys()
    _, options, existing, *_ = parameter_sets(region).values()
    return {
        "before the functions": {},
        "after them, all options": {k: v for k, v in options.items() if k in needed} | {"FunctionsAreThere": "true"},
        "a table that is there": {k: v for k, v in existing.items() if k in needed} | {"FunctionsAreThere": "true"},
    }


def js_handlers_sets(region):
    """What functions/js-handlers/template.yaml is deployed with, by name."""
    arn, here = f"arn:{partition(region)}", f"{region}:{ACCOUNT}"
    given = {"TableArns": f"{arn}:dynamodb:{here}:table/goods,{arn}:dynamodb:{here}:table/goods/index/*"}
    options = {
        "CallFunctions": "mail=send-mail",
        "CallFunctionArns": f"{arn}:lambda:{here}:function:send-mail",
        "NotifyKeyParameter": "/vk-pay/notify-key",
        "Architecture": "x86_64",
    }
    return {"as it is": given, "all options": given | options}


class Resolver:
    """Decides a template's conditions for a set of parameters."""

    def __init__(self, template, given, region):
        self.conditions = template.get("Conditions", {})
        self.parameters = {name: parameter.get("Default", "") for name, parameter in template["Parameters"].items()}
        self.types = {name: parameter["Type"] for name, parameter in template["Parameters"].items()}
        unknown = given.keys() - self.parameters.keys()
        assert not unknown, f"no such parameter: {unknown}"
        self.parameters |= given
        self.parameters |= {
            "AWS::Region": region,
            "AWS::Partition": partition(region),
            "AWS::AccountId": ACCOUNT,
            "AWS::URLSuffix": "amazonaws.com.cn" if region in CHINA else "amazonaws.com",
            "AWS::StackName": "vk-pay",
        }

    def value(self, node):
        """A text, or a list of them, of what a condition compares."""
        if not isinstance(node, dict):
            return node
        ((function, argument),) = node.items()
        if function == "Ref":
            value = self.parameters[argument]
            return str(value).split(",") if self.types.get(argument) == "CommaDelimitedList" else value
        if function == "Fn::Join":
            return argument[0].join(self.value(argument[1]))
        if function == "Fn::Split":
            return self.value(argument[1]).split(argument[0])
        if function == "Fn::Select":
            return self.value(argument[1])[int(argument[0])]
        raise AssertionError(f"{function} in a condition")

    def holds(self, condition):
        ((function, argument),) = condition.items()
        if function == "Condition":
            return self.holds(self.conditions[argument])
        if function == "Fn::Equals":
            left, right = (str(self.value(side)) for side in argument)
            return left == right
        results = [self.holds(part) for part in argument]
        return {"Fn::Not": lambda: not results[0], "Fn::And": lambda: all(results), "Fn::Or": lambda: any(results)}[
            function
        ]()

    def prune(self, node):
        """The node without `Fn::If`, and without what is `AWS::NoValue`."""
        nothing = {"Ref": "AWS::NoValue"}
        if isinstance(node, list):
            return [pruned for pruned in map(self.prune, node) if pruned != nothing]
        if not isinstance(node, dict):
            return node
        if "Fn::If" in node:
            condition, yes, no = node["Fn::If"]
            return self.prune(yes if self.holds({"Condition": condition}) else no)
        pruned = {key: self.prune(value) for key, value in node.items()}
        return {key: value for key, value in pruned.items() if value != nothing}

    def resolve(self, template):
        template = copy.deepcopy(template)
        for name, rule in template.pop("Rules", {}).items():
            if self.holds(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
                assert all(self.holds(assertion["Assert"]) for assertion in rule["Assertions"]), name
        for section in ("Resources", "Outputs"):
            kept = {}
            for name, item in template.get(section, {}).items():
                condition = item.pop("Condition", None)
                if condition is None or self.holds({"Condition": condition}):
                    kept[name] = self.prune(item)
            template[section] = kept
        template.pop("Conditions", None)
        template.pop("Metadata", None)
        body = json.dumps([template["Resources"], template["Outputs"]])
        used = {n: p for n, p in template["Parameters"].items() if f'{{"Ref": "{n}"}}' in body or "${" + n + "}" in body}
        # Without their limits, which the linter would take for values.
        template["Parameters"] = {n: {"Type": p["Type"], "Default": self.parameters[n]} for n, p in used.items()}
        return template


def translated(path, given, region):
    """The template as SAM's transform gives it to CloudFormation in the region."""
    template = yaml_parse(path.read_text())
    if "Transform" not in template:
        return template
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    os.environ["AWS_DEFAULT_REGION"] = region
    ArnGenerator.BOTO_SESSION_REGION_NAME = region
    return Translator({}, Parser()).translate(template, {**given})


def strings(node):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


def of_china(template):
    """What must not stand in a template for China."""
    for text in strings(template["Resources"]):
        if "arn:aws:" in text:
            yield f"an ARN of another partition: {text}"
        if "amazonaws.com" in text and not text.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            yield f"a host of another partition: {text}"


def of_aliases(template):
    """What calls a function calls its alias, so that a version can be tried and taken back."""
    resources = template["Resources"]
    functions = {name for name, item in resources.items() if item["Type"] == "AWS::Lambda::Function"}
    callers = {
        "AWS::ApiGatewayV2::Integration",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::Scheduler::Schedule",
    }
    for name, item in resources.items():
        if item["Type"] in callers and item["Type"] != "AWS::Lambda::EventInvokeConfig":
            target = json.dumps(item["Properties"])
            named = [f for f in functions if f'"{f}"' in target]
            if named or not any(f"{f}Aliaslive" in target for f in functions):
                yield f"{name} does not call an alias"
        if item["Type"] == "AWS::Lambda::EventInvokeConfig" and item["Properties"].get("Qualifier") != "live":
            yield f"{name} does not name an alias"
        if item["Type"] == "AWS::Lambda::Version" and item["Properties"].get("Description") != {"Ref": "Release"}:
            yield f"{name} is not published anew by Release"
        boundary = item.get("Properties", {}).get("PermissionsBoundary")
        if item["Type"] == "AWS::IAM::Role" and "PermissionsBoundaryArn" in template["Parameters"] and not boundary:
            yield f"{name} has no permissions boundary"


def text_of(node):
    """What `Fn::Sub` and `Fn::Join` make, with a word in place of what only CloudFormation knows."""
    if isinstance(node, list):
        return [text_of(item) for item in node]
    if not isinstance(node, dict):
        return str(node)
    ((function, argument),) = node.items()
    if function == "Fn::Join":
        return argument[0].join(text_of(argument[1]))
    if function == "Fn::Sub":
        text, values = argument if isinstance(argument, list) else (argument, {})
        known = {name: text_of(value) for name, value in values.items()}
        return re.sub(r"\$\{(!?)([^}]+)\}", lambda m: f"${{{m[2]}}}" if m[1] else known.get(m[2], m[2]), text)
    return argument if isinstance(argument, str) else json.dumps(argument).translate({ord('"'): None})


def of_alarms(template):
    """What tells somebody is told everywhere: actions, the alarm over all, the rule of the robot, the dashboard."""
    resources = template["Resources"]
    alarms = {n: i["Properties"] for n, i in resources.items() if i["Type"] == "AWS::CloudWatch::Alarm"}
    # It takes a version of notify back, and tells nobody.
    alarms.pop("NotifyErrorsAlarm", None)
    rule = text_of(resources["AnyAlarm"]["Properties"]["AlarmRule"])
    dashboards = [i["Properties"] for i in resources.values() if i["Type"] == "AWS::CloudWatch::Dashboard"]
    try:
        boards = [json.loads(text_of(dashboard["DashboardBody"])) for dashboard in dashboards]
    except json.JSONDecodeError as error:
        yield f"the dashboard is no JSON: {error}"
        return
    listed = {arn for board in boards for arn in board["widgets"][0]["properties"]["alarms"]}
    for name, alarm in alarms.items():
        if text_of(alarm["AlarmName"]) != f"AWS::StackName/{name}":
            yield f"{name} is not named as the rule of the robot looks for it"
        if any(character in alarm["AlarmDescription"] for character in "\"\\<>\n"):
            yield f"{name} has a description that breaks the robot's JSON"
        if f'ALARM("{name}")' not in rule:
            yield f"{name} is not in AnyAlarm"
        if boards and f"{name}.Arn" not in listed and name != "AlarmWebhookAlarm":
            yield f"{name} is not on the dashboard"
    for target in resources.get("AlarmWebhookRule", {}).get("Properties", {}).get("Targets", []):
        try:
            json.loads(target["InputTransformer"]["InputTemplate"])
        except json.JSONDecodeError as error:
            yield f"the robot gets no JSON: {error}"


def check(path, name, given, region):
    template = translated(path, given, region)
    template = Resolver(template, given, region).resolve(template)
    faults = [str(match) for match in lint(json.dumps(template, default=str), None, [region])]
    if path == ROOT / "template.yaml":
        faults += of_aliases(template)
    if path in (ROOT / "template.yaml", ROOT / "infra.yaml"):
        faults += of_alarms(template)
    if region in CHINA:
        faults += of_china(template)
    head = f"{path.relative_to(ROOT)}: {region}, {name}: {len(template['Resources'])} resources, {len(faults)} faults"
    return faults, "\n    ".join([head, *faults])


def main():
    sets = [
        (ROOT / "template.yaml", name, given, region)
        for region in GLOBAL + CHINA
        for name, given in parameter_sets(region).items()
    ]
    sets += [
        (ROOT / "infra.yaml", name, given, region)
        for region in [GLOBAL[0], CHINA[0]]
        for name, given in infra_sets(region).items()
    ]
    sets += [(ROOT / "edge.yaml", name, given, "us-east-1") for name, given in edge_sets().items()]
    sets += [
        (ROOT / "functions" / "js-handlers" / "template.yaml", name, given, region)
        for region in [GLOBAL[0], CHINA[0]]
        for name, given in js_handlers_sets(region).items()
    ]
    good = True
    with multiprocessing.Pool() as pool:
        for faults, report in pool.starmap(check, sets, chunksize=1):
            good = good and not faults
            print(report, flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
