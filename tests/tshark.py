"""tshark, which has an SMPP stack that is not ours, and what it reads in a capture."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from smpp_ends import missing

PORT = 2775  # of the SMSC
OPTIONS = (
    "smpp.decode_sms_over_smpp:GSM 7-bit",  # what data_coding 0 means
    "gsm_sms_ud.port_number_udh_means_wsp:TRUE",
    "gsm_sms_ud.try_dissect_1st_fragment:FALSE",
    "ip.check_checksum:TRUE",
    "tcp.check_checksum:TRUE",
)


def needed(*tools: str) -> None:
    """Skip the test, or fail it in CI, when a tool is not there."""
    for tool in tools:
        if shutil.which(tool) is None:
            missing(f"{tool} is not installed (Debian: apt-get install tshark)")


def capture(pdus: Iterable[bytes], into: Path) -> Path:
    """The octets of PDUs, all going to the SMSC, as a capture that Wireshark's own tool has written."""
    needed("text2pcap")
    dump, made = into / "pdus.hex", into / "pdus.pcap"
    dump.write_text("".join(f"000000 {pdu.hex(' ')}\n\n" for pdu in pdus))
    _run("text2pcap", "-q", "-T", f"40000,{PORT}", str(dump), str(made))
    return made


def fields(made: Path, *names: str) -> list[list[str]]:
    """Of each packet the values of these fields, several of a name with a comma between them."""
    needed("tshark")
    wanted = [word for name in names for word in ("-e", name)]
    return [
        line.split("\x1f")
        for line in _tshark(made, "-T", "fields", "-E", "separator=\x1f", *wanted).splitlines()
    ]


def dissection(made: Path) -> str:
    """All that tshark has to say."""
    needed("tshark")
    return _tshark(made, "-V")


def complaints(made: Path) -> list[str]:
    """What tshark finds wrong, of any severity above a chat, in any protocol."""
    needed("tshark")
    return _tshark(made, "-q", "-z", "expert,note").splitlines()


def _tshark(made: Path, *arguments: str) -> str:
    options = [word for option in OPTIONS for word in ("-o", option)]
    return _run("tshark", "-r", str(made), "-d", f"tcp.port=={PORT},smpp", *options, *arguments)


def _run(*command: str) -> str:
    run = subprocess.run(command, check=True, capture_output=True, timeout=60)
    halves = run.stdout.decode("utf-8", "surrogatepass")  # tshark writes both of a pair for themselves
    return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
