"""Lists as people have them: pasted, and CSV as spreadsheets of different countries write it."""

from collections.abc import Iterator

import pytest

from hopwire import lists
from hopwire.lists import BadListError, Row, pasted, table

A, B = "380501112233", "380671112233"


def rows(data: bytes, *wanted: str, piece: int = 1_000_000) -> list[Row]:
    return list(
        table((data[at : at + piece] for at in range(0, len(data), piece)), dict.fromkeys(wanted, False))
    )


def numbers(data: bytes) -> list[str]:
    return [row.number for row in rows(data)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(f"{A}\n{B}", [(1, A), (2, B)], id="one a line"),
        pytest.param(f"{A}, {B};{A}\r\n\r\n {B} ", [(1, A), (1, B), (1, A), (3, B)], id="separated"),
        pytest.param("+38 (050) 111-22-33\nwhat", [(1, "+38 (050) 111-22-33"), (2, "what")], id="as typed"),
    ],
)
def test_a_pasted_list_is_read(text: str, found: list[tuple[int, str]]) -> None:
    assert [(row.line, row.number) for row in pasted(text)] == found


UKRAINIAN = f"Ім'я;Телефон\r\nЇжак;{A}\r\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(UKRAINIAN.encode(), id="UTF-8"),
        pytest.param(UKRAINIAN.encode("utf-8-sig"), id="UTF-8 with BOM"),
        pytest.param(UKRAINIAN.encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xfe\xff" + UKRAINIAN.encode("utf-16-be"), id="UTF-16, big-endian"),
        pytest.param(UKRAINIAN.encode("cp1251"), id="windows-1251"),
        pytest.param(UKRAINIAN.replace(";", ",").encode(), id="commas"),
        pytest.param(UKRAINIAN.replace(";", "\t").encode(), id="tabs"),
        pytest.param(("sep=;\r\n" + UKRAINIAN).encode(), id="said by Excel"),
        pytest.param(UKRAINIAN.replace("\r\n", "\r").encode(), id="line ends of old"),
        pytest.param(UKRAINIAN.rstrip().encode(), id="no line end"),
        pytest.param(f'"Ім\'я";"Телефон"\n"Їжак";"{A}"\n'.encode(), id="all quoted"),
        pytest.param(("\n\n" + UKRAINIAN + "\n;\n;;\n").encode(), id="blank lines"),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1_000_000])
def test_a_file_is_read_as_spreadsheets_write_it(data: bytes, piece: int) -> None:
    (row,) = rows(data, "ім'я", piece=piece)
    assert (row.number, row.values) == (A, {"ім'я": "Їжак"})


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(f"id,phone\n1234567,{A}\n", [A], id="by the column's name"),
        pytest.param(f"Номер;Телефон\n1;{A}\n2;{B}\n", [A, B], id="of two names, the one that looks so"),
        pytest.param(f"who,where\nAnna,{A}\nB,{B}\n", [A, B], id="by its looks"),
        pytest.param(f"{A}\n{B}\n", [A, B], id="numbers alone"),
        pytest.param(f"Anna,{A}\nBob,{B}\n", [A, B], id="no names of columns"),
        pytest.param(f"name,phone\nAnna\nBob,{B}\n", ["", B], id="a row that is too short"),
        pytest.param(f"phone\n+38 (050) 111-22-33\n{B}\n", ["+38 (050) 111-22-33", B], id="as typed"),
        pytest.param("phone\n3.80671E+11\n", ["3.80671E+11"], id="rounded"),
        pytest.param(f"name,phone\n=1+1,{A}\n", [A], id="a formula is a text"),
    ],
)
def test_the_column_of_the_numbers_is_found(data: str, found: list[str]) -> None:
    assert numbers(data.encode()) == found


def test_values_are_kept_where_a_gap_wants_them() -> None:
    data = f"phone,First Name,note\n{A},Anna,private\n".encode()
    assert rows(data, "first name")[0].values == {"first name": "Anna"}
    assert rows(f"{A},Anna,12\n".encode(), "2", "3")[0].values == {"2": "Anna", "3": "12"}


def test_a_column_that_must_be_there_and_is_not_is_told_at_once() -> None:
    data = f"phone,name\n{A},Anna\n".encode()
    assert len(list(table([data], {"name": True, "city": False}))) == 1
    with pytest.raises(BadListError, match="no column"):
        list(table([data], {"city": True}))


def test_quoted_cells_hold_separators_quotes_and_line_ends() -> None:
    data = f'phone,text\n{A},"a, ""b""\r\nc"\n{B},d\n'.encode()
    assert [(row.line, row.values["text"]) for row in rows(data, "text")] == [(2, 'a, "b"\nc'), (4, "d")]


def test_a_line_that_cannot_be_read_is_told_and_the_others_are_read() -> None:
    data = f'phone,text\n{A},"a"b\n{B},c\n{A},"never closed\n{B},d\n'.encode()
    assert [(row.line, row.number, row.error) for row in rows(data)] == [
        (2, "", "unreadable"), (3, B, ""), (4, "", "unreadable")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        pytest.param(b"", "empty", 1, id="nothing"),
        pytest.param(b"\r\n\r\n", "empty", 1, id="blank lines"),
        pytest.param(b"phone\n", "empty", 1, id="names of columns alone"),
        pytest.param(b"name,city\nAnna,Lviv\n", "no_numbers", 1, id="no numbers"),
        pytest.param(f"x,phone,X\n1,{A},2\n".encode(), "same_names", 1, id="two columns of one name"),
        pytest.param(b"PK\x03\x04\x14\x00", "spreadsheet", 1, id="a spreadsheet"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1", "spreadsheet", 1, id="an old spreadsheet"),
        pytest.param(f"phone\n{A}\n\0\n".encode(), "not_text", 3, id="not text"),
        pytest.param("phone,name\n1,Ї\n".encode() + b"2,\xff\n", "not_text", 3, id="broken UTF-8"),
        pytest.param(b"phone,name\n1,\xc0\n2,\x98\n", "not_text", 3, id="neither UTF-8 nor windows-1251"),
        pytest.param(f"phone\n{A}\n".encode("utf-16") + b"\x00\xd8", "not_text", 3, id="broken UTF-16"),
        pytest.param(b"phone\n" + b"1" * 100_001, "long_line", 2, id="a line without an end"),
    ],
)
def test_what_is_no_list_is_told(data: bytes, code: str, line: int) -> None:
    with pytest.raises(BadListError) as told:
        rows(data, piece=4096)
    assert (told.value.code, told.value.line) == (code, line)


def test_a_list_has_so_many_rows_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_ROWS", 3)
    assert len(numbers(f"phone\n{A}\n{B}\n{A}\n".encode())) == 3
    with pytest.raises(BadListError, match="line 5"):
        numbers(f"phone\n{A}\n{B}\n{A}\n{B}\n".encode())


def test_a_list_leaves_as_it_comes() -> None:
    came = 0

    def pieces() -> Iterator[bytes]:
        nonlocal came
        for came in range(1, 1001):
            yield b"phone\n" if came == 1 else f"{A}\n".encode() * 10

    found = table(pieces())
    next(found)
    assert came < 20
    assert sum(1 for _ in found) == 9989
