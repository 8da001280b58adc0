"""Builds filters with libseccomp as a container runtime does: a JSON array of OCI profiles in, one hex program a line out."""

import json
import os
import sys

import seccomp as s

ACTIONS = {
    "SCMP_ACT_KILL_THREAD": lambda errno: s.KILL,
    "SCMP_ACT_KILL_PROCESS": lambda errno: s.KILL_PROCESS,
    "SCMP_ACT_TRAP": lambda errno: s.TRAP,
    "SCMP_ACT_ERRNO": s.ERRNO,
    "SCMP_ACT_TRACE": s.TRACE,
    "SCMP_ACT_LOG": lambda errno: s.LOG,
    "SCMP_ACT_ALLOW": lambda errno: s.ALLOW,
}
OPERATORS = {"NE": s.NE, "LT": s.LT, "LE": s.LE, "EQ": s.EQ, "GE": s.GE, "GT": s.GT, "MASKED_EQ": s.MASKED_EQ}
ARCHITECTURES = {"SCMP_ARCH_X86": s.Arch.X86, "SCMP_ARCH_X32": s.Arch.X32}


def action(name, errno):
    return ACTIONS[name](1 if errno is None else errno)


def argument(one):
    operator = OPERATORS[one["op"].removeprefix("SCMP_CMP_")]
    return s.Arg(one["index"], operator, one["value"], one["valueTwo"])


def build(profile):
    default = action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    rules = s.SyscallFilter(default)
    for architecture in profile["architectures"]:
        if architecture in ARCHITECTURES:
            rules.add_arch(ARCHITECTURES[architecture])
    for rule in profile["syscalls"]:
        verdict = action(rule["action"], rule.get("errnoRet"))
        if verdict == default:
            continue
        for name in rule["names"]:
            if s.resolve_syscall(s.Arch(), name) == -1:
                continue
            try:
                rules.add_rule(verdict, name, *[argument(one) for one in rule["args"]])
            except RuntimeError as error:
                # EEXIST: the rule is there already.
                if "errno = -17" not in str(error):
                    raise
    memory = os.fdopen(os.memfd_create("bpf"), "w+b")
    rules.export_bpf(memory)
    memory.seek(0)
    return memory.read().hex()


for profile in json.load(sys.stdin):
    print(build(profile))
