#!/usr/bin/env python3
"""Homeroom's validator beside DuckDB and Polars, on the same files of SDS v2.1 or OneRoster in the same run.

    pip install -r requirements.txt
    python3 compare.py FOLDER [--rounds 3] [--bench target/dist/examples/ingest_bench]

DuckDB and Polars do what they can do in a few queries: parse every file, look whether keys are unique
and whether every reference leads somewhere. Homeroom does that and the rest of its rules (codes, dates,
addresses, spans, encodings, cascades) and could name each row. Each measurement is a process of its own,
one after the other; the median of the rounds counts. Prints a table and, with --json, the numbers.
"""
import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import time

# What is unique, and what refers to what: file, column, file with that `sourcedId`. A column that ends with
# `[]` is a list with commas.
SDS_V2_1 = {
    "keys": {
        "orgs": ["sourcedId"],
        "academicSessions": ["sourcedId"],
        "courses": ["sourcedId"],
        "users": ["sourcedId"],
        "roles": ["userSourcedId", "orgSourcedId", "role", "sessionSourcedId"],
        "classes": ["sourcedId"],
        "enrollments": ["classSourcedId", "userSourcedId", "role"],
        "demographics": ["userSourcedId"],
        "userFlags": ["userSourcedId", "flag"],
        "relationships": ["userSourcedId", "relationshipUserSourcedId"],
    },
    "references": [
        ("orgs", "parentSourcedId", "orgs"),
        ("courses", "orgSourcedId", "orgs"),
        ("courses", "schoolYearSourcedId", "academicSessions"),
        ("roles", "userSourcedId", "users"),
        ("roles", "orgSourcedId", "orgs"),
        ("roles", "sessionSourcedId", "academicSessions"),
        ("classes", "orgSourcedId", "orgs"),
        ("classes", "courseSourcedId", "courses"),
        ("enrollments", "classSourcedId", "classes"),
        ("enrollments", "userSourcedId", "users"),
        ("demographics", "userSourcedId", "users"),
        ("userFlags", "userSourcedId", "users"),
        ("relationships", "userSourcedId", "users"),
        ("relationships", "relationshipUserSourcedId", "users"),
    ],
}
ONEROSTER_FILES = ["orgs", "academicSessions", "courses", "users", "roles", "classes", "enrollments", "demographics", "userProfiles"]
ONEROSTER = {
    "keys": {name: ["sourcedId"] for name in ONEROSTER_FILES},
    "references": [
        ("orgs", "parentSourcedId", "orgs"),
        ("academicSessions", "parentSourcedId", "academicSessions"),
        ("courses", "orgSourcedId", "orgs"),
        ("courses", "schoolYearSourcedId", "academicSessions"),
        ("users", "orgSourcedIds[]", "orgs"),
        ("users", "primaryOrgSourcedId", "orgs"),
        ("users", "agentSourcedIds[]", "users"),
        ("roles", "userSourcedId", "users"),
        ("roles", "orgSourcedId", "orgs"),
        ("classes", "courseSourcedId", "courses"),
        ("classes", "schoolSourcedId", "orgs"),
        ("classes", "termSourcedIds[]", "academicSessions"),
        ("enrollments", "classSourcedId", "classes"),
        ("enrollments", "schoolSourcedId", "orgs"),
        ("enrollments", "userSourcedId", "users"),
        ("demographics", "sourcedId", "users"),
        ("userProfiles", "userSourcedId", "users"),
    ],
}


def path(folder, name):
    return os.path.join(folder, name + ".csv")


def checks(folder):
    """The files that are there, the columns that are unique in each, and the references between them."""
    kind = ONEROSTER if os.path.exists(path(folder, "manifest")) else SDS_V2_1
    unique, columns = {}, {}
    for name, key in kind["keys"].items():
        if os.path.exists(path(folder, name)):
            with open(path(folder, name), encoding="utf-8-sig") as file:
                columns[name] = next(csv.reader(file))
            unique[name] = [key] + ([["username"]] if name == "users" else [])
    references = [
        (name, column.removesuffix("[]"), column.endswith("[]"), target)
        for name, column, target in kind["references"]
        if name in unique and target in unique and column.removesuffix("[]") in columns[name]
    ]
    return unique, references


def duckdb_work(folder):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {os.cpu_count()}")
    (unique, references), rows, wrong = checks(folder), 0, 0
    for name in unique:
        source = f"read_csv('{path(folder, name)}', header = true, all_varchar = true)"
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {source}")
        rows += connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
    for name, keys in unique.items():
        for columns in keys:
            group = ", ".join(columns)
            query = f"SELECT count(*) FROM (SELECT 1 FROM {name} GROUP BY {group} HAVING count(*) > 1)"
            wrong += connection.execute(query).fetchone()[0]
    for name, column, is_list, target in references:
        value = f"trim(unnest(string_split({column}, ',')))" if is_list else column
        given = f"(SELECT {value} AS value FROM {name} WHERE {column} IS NOT NULL)"
        query = f"SELECT count(*) FROM {given} a ANTI JOIN {target} b ON a.value = b.sourcedId"
        wrong += connection.execute(query).fetchone()[0]
    return rows, wrong


def polars_work(folder):
    import polars

    (unique, references), rows, wrong, frames = checks(folder), 0, 0, {}
    for name in unique:
        frames[name] = polars.read_csv(path(folder, name), infer_schema=False)
        rows += frames[name].height
    for name, keys in unique.items():
        for columns in keys:
            wrong += int(frames[name].select(columns).is_duplicated().sum())
    for name, column, is_list, target in references:
        given = frames[name].select(column).filter(polars.col(column).is_not_null())
        if is_list:
            values = polars.col(column).str.split(",").explode().str.strip_chars()
            given = given.select(values)
        wrong += given.join(frames[target], left_on=column, right_on="sourcedId", how="anti").height
    return rows, wrong


def measured(work, folder):
    """One measurement in this process: what the bench of the engine prints."""
    # What importing costs is not what is compared.
    __import__(work)
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    rows, wrong = {"duckdb": duckdb_work, "polars": polars_work}[work](folder)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"work": work, "rows": rows, "wrong": wrong, "cpuSeconds": cpu, "wallSeconds": wall, "peakMiB": after.ru_maxrss / 1024}


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--bench", default="target/dist/examples/ingest_bench")
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--only", choices=["duckdb", "polars"], help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.only:
        print(json.dumps(measured(given.only, given.folder)))
        return
    commands = {
        "Homeroom validate": [given.bench, "validate", given.folder],
        "Homeroom validate, 1 thread": [given.bench, "validate", given.folder, "1"],
        "Homeroom ingest": [given.bench, "ingest", given.folder],
        "DuckDB": [sys.executable, __file__, given.folder, "--only", "duckdb"],
        "Polars": [sys.executable, __file__, given.folder, "--only", "polars"],
    }
    rounds = {name: [] for name in commands}
    for _ in range(given.rounds):
        # In turn, so that what else the machine does falls on all of them.
        for name, command in commands.items():
            rounds[name].append(run(command))
    middle = {
        name: {key: statistics.median(one[key] for one in all) for key in ("rows", "cpuSeconds", "wallSeconds", "peakMiB")}
        for name, all in rounds.items()
    }
    counts = {numbers["rows"] for numbers in middle.values()}
    if len(counts) != 1:
        sys.exit(f"they have not read the same rows: {counts}")
    if given.json:
        print(json.dumps({"rounds": given.rounds, "results": middle}, indent=1))
        return
    base = middle["DuckDB"]["cpuSeconds"]
    print(f"{counts.pop():,.0f} rows, median of {given.rounds} rounds\n")
    print("| | CPU s | CPU s a million rows | of DuckDB's CPU | wall s | peak MiB |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, numbers in middle.items():
        cpu, rows = numbers["cpuSeconds"], numbers["rows"]
        print(
            f"| {name} | {cpu:.2f} | {cpu / rows * 1e6:.2f} | {cpu / base:.0%} | {numbers['wallSeconds']:.2f} | {numbers['peakMiB']:.0f} |"
        )


if __name__ == "__main__":
    main()
