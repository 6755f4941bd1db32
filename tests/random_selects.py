"""SELECTs drawn by one number over the tables of `lake_world`: typed, so that most of them have an answer."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

COLUMNS = {
    "patients": {
        "int": ("id",),
        "text": ("name", "phone", "ward", "note"),
        "date": ("born",),
        "double": ("weight",),
    },
    "visits": {
        "int": ("id", "patient", "cost"),
        "date": ("seen",),
        "moment": ("at",),
        "decimal": ("amount",),
        "flag": ("is_urgent",),
    },
}
_KINDS = ("int", "text", "date", "double", "moment", "decimal", "flag")
_LITERALS = {
    "int": ("0", "1", "2", "3", "7", "100", "-5", "NULLIF(1, 1)"),
    "text": ("'A'", "'5'", "''", "'stable'", "'***'", "'%o%'", "'ada ruiz'", "CAST(NULL AS varchar)"),
    "date": ("DATE '1980-02-29'", "DATE '2024-01-31'", "DATE '1970-01-01'"),
    "double": ("0e0", "1.5e0", "-2.25e0", "61.5e0"),
    "moment": ("TIMESTAMP '2024-01-15 12:00:00.000'", "TIMESTAMP '1969-12-31 23:59:59.999'"),
    "decimal": ("0.0", "12.25", "-7.5", "100.00"),
    "flag": ("true", "false", "CAST(NULL AS boolean)"),
}
# {name} is an expression of that kind; the same again is another one.
_FORMS = {
    "int": (
        "({int} + {int})", "({int} - {int})", "({int} / nullif({int}, 0))", "({int} % nullif({int}, 0))", "abs({int})",
        "length({text})", "strpos({text}, 'a')", "year({date})", "month({date})", "day({date})", "day_of_week({date})",
        "day_of_year({date})", "week({date})", "quarter({date})", "year_of_week({date})",
        "date_diff('day', {date}, {date})", "date_diff('month', {date}, {date})", "coalesce({int}, {int})",
        "IF({flag}, {int}, {int})", "greatest({int}, {int})", "least({int}, {int})", "TRY_CAST({text} AS integer)",
        "CAST({decimal} AS integer)", "CAST({flag} AS integer)", "hour({moment})", "second({moment})",
        "millisecond({moment})", "sign({int})", "levenshtein_distance({text}, 'stable')", "bitwise_and({int}, 6)",
        "date_diff('hour', {moment}, {moment})", "nullif({int}, {int})", "cardinality(split({text}, ' '))",
    ),
    "text": (
        "lower({text})", "upper({text})", "substr({text}, 2)", "substr({text}, -3)", "substr({text}, 2, 3)",
        "({text} || {text})", "replace({text}, 'a', '--')", "trim({text})", "coalesce({text}, {text})",
        "CASE WHEN {flag} THEN {text} ELSE {text} END", "CAST({int} AS varchar)", "CAST({date} AS varchar)",
        "CAST({decimal} AS varchar)", "CAST({moment} AS varchar)", "CAST({flag} AS varchar)", "reverse({text})",
        "lpad({text}, 5, '*')", "rpad({text}, 3, 'xy')", "split_part({text}, ' ', 2)",
        "regexp_extract({text}, '[0-9]+')", "regexp_replace({text}, '[aeiou]', '_')", "concat({text}, {text})",
        "nullif({text}, {text})", "date_format({moment}, '%Y-%m-%d %H:%i')", "concat_ws('-', {text}, {text})",
        "to_hex(md5(to_utf8({text})))", "CAST({text} AS varchar(3))", "greatest({text}, {text})",
        "element_at(split({text}, ' '), 1)", "array_join(ARRAY[{text}, {text}], '+')",
    ),
    "date": (
        "date_add('day', 7, {date})", "date_add('month', 1, {date})", "({date} + INTERVAL '1' MONTH)",
        "({date} - INTERVAL '30' DAY)", "date_trunc('month', {date})", "date_trunc('week', {date})",
        "CAST({moment} AS date)", "last_day_of_month({date})", "coalesce({date}, {date})", "least({date}, {date})",
        "TRY_CAST({text} AS date)",
    ),
    "double": (
        "({double} + {double})", "({double} * {double})", "({double} / {double})", "sqrt(abs({double}))",
        "round({double}, 1)", "CAST({int} AS double)", "CAST({decimal} AS double)", "coalesce({double}, {double})",
        "floor({double})", "ceil({double})", "truncate({double})", "TRY_CAST({text} AS double)",
        "power({double}, 2)", "({double} - {int})",
    ),
    "moment": (
        "date_trunc('hour', {moment})", "date_trunc('day', {moment})", "({moment} + INTERVAL '90' MINUTE)",
        "date_add('hour', -5, {moment})", "CAST({date} AS timestamp(3))", "coalesce({moment}, {moment})",
    ),
    "decimal": (
        "({decimal} + {decimal})", "({decimal} - {decimal})", "({decimal} * {decimal})", "round({decimal}, 1)",
        "CAST({int} AS decimal(20,2))", "abs({decimal})", "coalesce({decimal}, {decimal})",
        "({decimal} / nullif({decimal}, 0))", "({decimal} + {int})", "floor({decimal})",
    ),
    "flag": (
        "({int} < {int})", "({int} = {int})", "({text} = {text})", "({text} >= {text})", "({date} < {date})",
        "({moment} <= {moment})", "({decimal} > {decimal})", "({double} > {double})", "({double} <> {double})",
        "({text} IS NULL)", "({decimal} IS NOT NULL)", "({int} BETWEEN {int} AND {int})", "({text} LIKE '%a%')",
        "({text} LIKE {text})", "({text} IN ({text}, {text}))", "({int} IN (1, 2, {int}))",
        "({text} IS DISTINCT FROM {text})", "({double} IS NOT DISTINCT FROM {double})", "(NOT {flag})",
        "({flag} AND {flag})", "({flag} OR {flag})", "starts_with({text}, 'A')", "regexp_like({text}, '^[0-9-]+$')",
        "coalesce({flag}, {flag})", "({date} <= {moment})", "({int} < {decimal})", "({decimal} < {double})",
    ),
}  # fmt: skip
_AGGREGATES = (
    "count(*)", "count({text})", "count(DISTINCT {int})", "count(DISTINCT {text})", "sum({int})", "sum({decimal})",
    "avg({int})", "avg({decimal})", "min({text})", "max({date})", "min({double})", "max({moment})", "bool_or({flag})",
    "bool_and({flag})", "count_if({flag})", "count(*) FILTER (WHERE {flag})", "sum({int}) FILTER (WHERE {flag})",
    "count(DISTINCT {double})", "stddev({int})", "max({flag})", "sum({int}) / count(*)",
)  # fmt: skip
_WINDOWS = (
    "row_number() OVER (ORDER BY {key})", "rank() OVER (ORDER BY {text})", "dense_rank() OVER (ORDER BY {date} DESC)",
    "sum({int}) OVER (PARTITION BY {text})", "count(*) OVER (PARTITION BY {flag} ORDER BY {key})",
    "lag({text}) OVER (ORDER BY {key})", "first_value({int}) OVER (PARTITION BY {text} ORDER BY {key})",
    "ntile(3) OVER (ORDER BY {key})", "max({date}) OVER (ORDER BY {key} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
)  # fmt: skip


class Selects:
    """Draws queries, the same ones for the same number."""

    def __init__(self, number: int, *, schema: str) -> None:
        self._chance = Random(number)
        self._schema = schema
        self._columns: dict[str, list[str]] = {}
        self._key = ""

    def draw(self) -> str:
        """Return one query."""
        shapes: tuple[Callable[[], str], ...] = (
            self._plain, self._plain, self._grouped, self._grouped, self._windowed, self._set, self._within,
        )  # fmt: skip
        return self._chance.choice(shapes)()

    def expression(self, kind: str, depth: int = 2) -> str:
        """Return an expression of a kind over what FROM gives."""
        at = self._columns.get(kind, [])
        drawn = self._chance.random()
        if at and (depth == 0 or drawn < 0.35):
            return self._chance.choice(at)
        if depth == 0 or drawn < 0.45:
            return self._chance.choice(_LITERALS[kind])
        return self._filled(self._chance.choice(_FORMS[kind]), depth - 1)

    def _filled(self, form: str, depth: int) -> str:
        for kind in _KINDS:
            while f"{{{kind}}}" in form:
                form = form.replace(f"{{{kind}}}", self.expression(kind, depth), 1)
        return form.replace("{key}", self._key)

    def _from(self) -> str:
        """Choose what is read, and return the FROM."""
        patients, visits = f"{self._schema}.patients", f"{self._schema}.visits"
        joins = (
            (f"{patients} p", {"p": "patients"}, "p.id"),
            (f"{visits} v", {"v": "visits"}, "v.id"),
            (f"{patients} p JOIN {visits} v ON v.patient = p.id", {"p": "patients", "v": "visits"}, "v.id"),
            (f"{patients} p LEFT JOIN {visits} v ON v.patient = p.id AND {{flag}}",
             {"p": "patients", "v": "visits"}, "p.id, v.id"),
            (f"{visits} v FULL JOIN {patients} p ON p.id = v.patient", {"p": "patients", "v": "visits"}, "p.id, v.id"),
            (f"{patients} p JOIN {patients} q ON p.phone = q.phone", {"p": "patients", "q": "patients"}, "p.id, q.id"),
            (f"{patients} p JOIN {patients} q ON p.ward = q.ward AND p.id < q.id",
             {"p": "patients", "q": "patients"}, "p.id, q.id"),
        )  # fmt: skip
        text, tables, self._key = self._chance.choice(joins)
        self._columns = {kind: [] for kind in _KINDS}
        for alias, table in tables.items():
            for kind, names in COLUMNS[table].items():
                self._columns[kind] += [f"{alias}.{name}" for name in names]
        return "FROM " + self._filled(text, 1)

    def _kinds(self, count: int) -> list[str]:
        return [self._chance.choice(_KINDS) for _ in range(count)]

    def _where(self) -> str:
        return f" WHERE {self.expression('flag')}" if self._chance.random() < 0.7 else ""

    def _plain(self) -> str:
        source = self._from()
        kinds = self._kinds(self._chance.randint(1, 4))
        items = ", ".join(f"{self.expression(kind)} AS c{at}" for at, kind in enumerate(kinds))
        distinct = "DISTINCT " if self._chance.random() < 0.2 else ""
        sql = f"SELECT {distinct}{items} {source}{self._where()}"
        if self._chance.random() < 0.4:
            by = ", ".join(f"{at + 1}{self._chance.choice(('', ' DESC', ' NULLS FIRST'))}" for at in range(len(kinds)))
            sql += f" ORDER BY {by}" + self._chance.choice(("", " LIMIT 5", " OFFSET 2 LIMIT 3"))
        return sql

    def _grouped(self) -> str:
        source = self._from()
        keys = [self.expression(kind) for kind in self._kinds(self._chance.randint(0, 2))]
        keys = [key for key in keys if any(column in key for at in self._columns.values() for column in at)]
        counts = [self._filled(self._chance.choice(_AGGREGATES), 1) for _ in range(self._chance.randint(1, 3))]
        items = ", ".join(f"{item} AS c{at}" for at, item in enumerate([*keys, *counts]))
        by = f" GROUP BY {', '.join(str(at + 1) for at in range(len(keys)))}" if keys else ""
        having = f" HAVING count(*) > {self._chance.randint(0, 3)}" if self._chance.random() < 0.3 else ""
        return f"SELECT {items} {source}{self._where()}{by}{having}"

    def _windowed(self) -> str:
        source = self._from()
        return f"SELECT {self._key}, {self._filled(self._chance.choice(_WINDOWS), 1)} AS w {source}{self._where()}"

    def _set(self) -> str:
        kinds = self._kinds(self._chance.randint(1, 2))
        sides = []
        for _ in range(2):
            source = self._from()
            items = ", ".join(f"{self.expression(kind)} AS c{at}" for at, kind in enumerate(kinds))
            sides.append(f"SELECT {items} {source}{self._where()}")
        return self._chance.choice((" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ")).join(sides)

    def _within(self) -> str:
        schema = self._schema
        source = self._from()
        item = self.expression(self._chance.choice(_KINDS))
        key = next(iter(self._key.split(", ")))
        number = f"{key} IN (SELECT patient FROM {schema}.visits WHERE cost > {self._chance.randint(0, 600)})"
        exists = f"EXISTS (SELECT 1 FROM {schema}.visits x WHERE x.patient = {key} AND x.is_urgent)"
        scalar = f"(SELECT count(*) FROM {schema}.visits x WHERE x.patient = {key}) > {self._chance.randint(0, 6)}"
        where = self._chance.choice((number, exists, scalar, f"NOT {exists}", f"{key} NOT IN (1, 2)"))
        return f"WITH w AS (SELECT {key} AS k, {item} AS c {source} WHERE {where}) SELECT w.k, w.c FROM w"
