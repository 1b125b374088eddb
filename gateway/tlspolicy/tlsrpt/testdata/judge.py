"""Reads a mail with a report about TLS from standard input with Python's own mail, gzip and JSON modules, holds it to RFC 8460
rule by rule, and prints each breach; nothing where there is none. It shares no code with the program that wrote the mail."""
import email
import email.policy
import gzip
import ipaddress
import json
import re
import sys
from datetime import datetime

breaches = []


def hold(ok, rule):
    if not ok:
        breaches.append(rule)


def texts(v):
    return isinstance(v, list) and all(isinstance(s, str) for s in v)


def count(v):
    return isinstance(v, int) and not isinstance(v, bool) and v >= 0


def closed(d, needed, allowed, where):
    for k in needed:
        hold(k in d, f"4.4: {where} has no {k}")
    for k in d:
        hold(k in needed or k in allowed, f"4.4: {where} has {k}, which is not defined")


mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
hold(mail.get_content_type() == "multipart/report", "5.3: multipart/report")
hold(mail["content-type"].params.get("report-type") == "tlsrpt", "5.3: report-type=tlsrpt")
parts = list(mail.iter_parts())
hold(len(parts) == 2, "5.3: two parts")
hold(parts[0].get_content_type() == "text/plain", "5.3: first part for people")
hold(parts[1].get_content_type() == "application/tlsrpt+gzip", "5.3: second part application/tlsrpt+gzip")
domain, submitter = mail["TLS-Report-Domain"], mail["TLS-Report-Submitter"]
hold(domain and submitter, "5.3: header fields TLS-Report-Domain and TLS-Report-Submitter")
name = parts[1].get_filename()
m = re.fullmatch(r"([a-z0-9.-]+)!([a-z0-9.-]+)!(\d+)!(\d+)(![A-Za-z0-9]+)?\.json\.gz", name or "")
hold(m, "5.1: filename")
hold(m and m[1] == submitter and m[2] == domain, "5.1, 5.3: filename names submitter and domain")
r = json.loads(gzip.decompress(parts[1].get_payload(decode=True)).decode("utf-8"))
closed(r, ["organization-name", "date-range", "contact-info", "report-id", "policies"], [], "report")
subject = re.fullmatch(r"Report Domain: +(\S+) +Submitter: +(\S+) +Report-ID: +<([^@<>\s]+@[^@<>\s]+)>\s*", mail["subject"])
hold(subject, "5.3: subject")
hold(subject and subject[1] == domain and subject[2] == submitter and subject[3] == r["report-id"], "5.3: subject names domain, submitter and report")
hold(r["contact-info"].rpartition("@")[2] == submitter, "5.3: submitter is the domain of contact-info")
closed(r["date-range"], ["start-datetime", "end-datetime"], [], "date-range")
start, end = (datetime.strptime(r["date-range"][k], "%Y-%m-%dT%H:%M:%SZ") for k in ("start-datetime", "end-datetime"))
hold((start.hour, start.minute, start.second) == (0, 0, 0) and (end - start).total_seconds() in (86399, 86400), "4.1: a full day in UTC")
hold(m and int(m[3]) == (start - datetime(1970, 1, 1)).total_seconds() and int(m[4]) == (end - datetime(1970, 1, 1)).total_seconds(), "5.1: times in filename")
hold(isinstance(r["policies"], list) and r["policies"], "4: policies is an array")
kinds = {"starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted", "validation-failure", "tlsa-invalid",
         "dnssec-invalid", "dane-required", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"}
for p in r["policies"]:
    closed(p, ["policy", "summary"], ["failure-details"], "policies[]")
    q = p["policy"]
    closed(q, ["policy-type", "policy-domain"], ["policy-string", "mx-host"], "policy")
    hold(q["policy-type"] in ("tlsa", "sts", "no-policy-found"), "4.4: policy-type")
    hold(texts(q.get("policy-string", [])) and texts(q.get("mx-host", [])), "4.4: policy-string and mx-host are arrays of strings")
    hold("mx-host" not in q or q["policy-type"] == "sts", "4.4: mx-host only of sts")
    hold(q["policy-domain"].isascii(), "4.4: A-labels")
    s = p["summary"]
    closed(s, ["total-successful-session-count", "total-failure-session-count"], [], "summary")
    hold(all(count(v) for v in s.values()), "4.4: counts are integers")
    details = p.get("failure-details", [])
    hold(sum(d["failed-session-count"] for d in details) == s["total-failure-session-count"], "4.4: failures add up")
    for d in details:
        closed(d, ["result-type", "failed-session-count"], ["sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip",
                                                             "additional-information", "failure-reason-code"], "failure-details[]")
        hold(d["result-type"] in kinds, "4.3: result-type " + d["result-type"])
        for k in ("sending-mta-ip", "receiving-ip"):
            if k in d:
                ipaddress.ip_address(d[k])
print("\n".join(breaches), end="")
