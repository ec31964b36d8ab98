"""Tests of dsmr_tw.config: settings from flags, environment and file, and refusals in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.config import OPTIONS, Settings, settings_from
from dsmr_tw.errors import SettingsError


class SettingsCase(SynchronousTestCase):
    """Settings from what a test gives."""

    def settings(self, environment: dict[str, str] | None = None, /, **flags: object) -> Settings:
        """The settings; the environment of the tests themselves plays no part."""
        return settings_from(flags, environment or {})

    def file(self, text: str) -> str:
        """The path of a settings file."""
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        return str(path)

    def sentence(self, environment: dict[str, str] | None = None, /, **flags: object) -> str:
        """What the operator is told about settings that can't be: one sentence or two, on one line."""
        with self.assertRaises(SettingsError) as caught:
            self.settings(environment, **flags)
        sentence = str(caught.exception)
        self.assertTrue(sentence.endswith("."), sentence)
        self.assertNotIn("\n", sentence)
        return sentence


class SourceTests(SettingsCase):
    """Where a setting comes from."""

    def test_without_anything_set_the_defaults_hold(self) -> None:
        """The server listens on this machine only, in the Netherlands, with the API closed."""
        settings = self.settings()
        self.assertEqual(settings.http, ("tcp:8080:interface=127.0.0.1",))
        self.assertEqual((settings.zone, settings.crc, settings.baud), ("Europe/Amsterdam", "strict", "auto"))
        self.assertEqual((settings.enable_api, settings.demo, settings.device), (False, False, ()))
        self.assertEqual((settings.commit_interval, settings.api_timestamps), (1.0, "utc"))

    def test_every_option_has_a_setting_and_every_setting_an_option(self) -> None:
        """Nothing can be set that means nothing, and nothing means something that can't be set."""
        self.assertEqual(
            {option.field for option in OPTIONS} - {"config"}, {attribute.name for attribute in fields(Settings)}
        )

    def test_a_switch_in_the_environment_or_the_file_is_a_word(self) -> None:
        """Yes and no, in the ways that people write them."""
        for word, meant in (("yes", True), ("1", True), ("TRUE", True), ("on", True), ("no", False), ("0", False)):
            self.assertIs(self.settings({"DSMR_ENABLE_API": word}).enable_api, meant)
            self.assertIs(self.settings(config=self.file(f'enable-api = "{word}"')).enable_api, meant)
        self.assertTrue(self.settings(config=self.file("enable-api = true")).enable_api)

    def test_a_value_may_come_from_the_environment(self) -> None:
        """--commit-interval is DSMR_COMMIT_INTERVAL there; an empty one is none."""
        settings = self.settings({"DSMR_COMMIT_INTERVAL": "2.5", "DSMR_ZONE": "", "DSMR_STATE_DIR": "/srv/dsmr"})
        self.assertEqual((settings.commit_interval, settings.zone), (2.5, "Europe/Amsterdam"))
        self.assertEqual(settings.state_dir, Path("/srv/dsmr"))

    def test_the_environment_is_that_of_the_process(self) -> None:
        """Unless somebody says otherwise, as these tests do."""
        os.environ["DSMR_ZONE"] = "Europe/Brussels"
        self.addCleanup(os.environ.pop, "DSMR_ZONE")
        self.assertEqual(settings_from({}).zone, "Europe/Brussels")
        self.assertEqual(self.settings().zone, "Europe/Amsterdam")

    def test_several_values_in_the_environment_are_separated_by_spaces(self) -> None:
        """Two devices need two names in one variable."""
        settings = self.settings({"DSMR_DEVICE": "/dev/ttyUSB0  tcp:p1.example:23"})
        self.assertEqual(settings.device, ("/dev/ttyUSB0", "tcp:p1.example:23"))

    def test_a_value_may_come_from_the_file(self) -> None:
        """The file spells options as the flags do; one value or a list."""
        path = self.file('device = ["/dev/ttyUSB0", "/dev/ttyUSB1"]\nhttp = "tcp:80"\ncommit-interval = 5\nbaud = 9600')
        settings = self.settings(config=path)
        self.assertEqual(settings.device, ("/dev/ttyUSB0", "/dev/ttyUSB1"))
        self.assertEqual((settings.http, settings.commit_interval, settings.serial_speed), (("tcp:80",), 5.0, 9600))

    def test_flags_win_over_the_environment_and_that_over_the_file(self) -> None:
        """What is nearer to the person at the keyboard counts; a flag that was not given says nothing."""
        path = self.file('zone = "Europe/Brussels"\ncrc = "off"\nbaud = 9600')
        environment = {"DSMR_CONFIG": path, "DSMR_CRC": "optional", "DSMR_BAUD": "9600"}
        settings = self.settings(environment, baud="115200", crc=None)
        self.assertEqual((settings.zone, settings.crc, settings.serial_speed), ("Europe/Brussels", "optional", 115200))

    def test_the_file_that_a_flag_names_wins_over_that_of_the_environment(self) -> None:
        """One file is read, never two."""
        environment = {"DSMR_CONFIG": self.file('zone = "Europe/Brussels"\nbaud = 9600')}
        settings = self.settings(environment, config=self.file('zone = "Europe/Vilnius"'))
        self.assertEqual((settings.zone, settings.serial_speed), ("Europe/Vilnius", None))


class PlaceTests(SettingsCase):
    """Where the data lie."""

    def test_systemd_says_where_the_state_is(self) -> None:
        """The first of its directories is ours, unless the operator names another."""
        environment = {"STATE_DIRECTORY": "/var/lib/dsmr:/var/lib/other"}
        self.assertEqual(self.settings(environment).state_dir, Path("/var/lib/dsmr"))
        self.assertEqual(self.settings(environment, state_dir="/srv").state_dir, Path("/srv"))

    def test_without_systemd_it_is_the_users_own(self) -> None:
        """The platform's folder for a user's data, with our name."""
        self.assertEqual(self.settings().state_dir.name, "dsmr_tw")

    def test_the_database_lies_in_the_state_directory(self) -> None:
        """Unless it is named."""
        self.assertEqual(self.settings(state_dir="/srv").database_path, Path("/srv/dsmr.sqlite3"))
        self.assertEqual(self.settings(database="sqlite:/big/disk.sqlite3").database_path, Path("/big/disk.sqlite3"))
        self.assertEqual(self.settings(database="sqlite:here.sqlite3").database_path, Path("here.sqlite3"))


class RefusalTests(SettingsCase):
    """What can't be is refused before anything starts, in a sentence that names the setting."""

    def test_the_least_value_is_allowed(self) -> None:
        """Each telegram may be stored at once, and a single client served."""
        settings = self.settings(commit_interval="0", max_connections="1", demo_days="0")
        self.assertEqual((settings.commit_interval, settings.max_connections, settings.demo_days), (0, 1, 0))

    def test_a_value_outside_its_bounds(self) -> None:
        """The sentence says what would be right."""
        for name, value, words in (
            ("commit_interval", "-1", "--commit-interval takes a number of seconds, 0 or more."),
            ("commit_interval", "nan", "--commit-interval takes a number of seconds, 0 or more."),
            ("commit_interval", "inf", "--commit-interval takes a number of seconds, 0 or more."),
            ("commit_interval", "soon", "--commit-interval takes a number, not soon."),
            ("baud", "300", "--baud takes auto, 9600 or 115200, not 300."),
            ("baud", "fast", "--baud takes auto, 9600 or 115200, not fast."),
            ("crc", "maybe", "--crc takes strict, optional or off, not maybe."),
            ("api_timestamps", "GMT", "--api-timestamps takes utc or local, not GMT."),
            ("max_connections", "0", "--max-connections takes a number, 1 or more."),
            ("demo_days", "-1", "--demo-days takes a number of days from 0 to 3660."),
            ("demo_days", "3661", "--demo-days takes a number of days from 0 to 3660."),
            ("keep", "0", "--keep takes a number, 1 or more."),
            ("demo_seed", "1.5", "--demo-seed takes a whole number, not 1.5."),
            ("weather", "knmi:260", "--weather takes open-meteo:LAT,LON, like open-meteo:52.10,5.18, or buienradar:"),
            ("weather", "open-meteo:91,0", "like buienradar:6260; not open-meteo:91,0."),
            ("zone", "Amsterdam", "--zone takes the name of a time zone, like Europe/Amsterdam, not Amsterdam."),
            ("zone", "../../etc/passwd", "--zone takes the name of a time zone"),
            ("enable_api", "perhaps", "--enable-api takes yes or no."),
            ("database", "/var/lib/dsmr.sqlite3", "not /var/lib/dsmr.sqlite3."),
            ("database", "sqlite:", "--database takes sqlite:PATH or postgresql://"),
        ):
            self.assertIn(words, self.sentence(**{name: value}))
            self.assertIn(words, self.sentence({f"DSMR_{name.upper()}": value}))

    def test_a_value_of_the_wrong_kind_in_the_file(self) -> None:
        """TOML knows numbers, texts and lists; the sentence says which is wanted."""
        for line, words in (
            ("baud = 9600.0", "--baud takes auto, 9600 or 115200, not 9600.0"),
            ("baud = true", "--baud takes auto, 9600 or 115200, not True"),
            ("commit-interval = true", "--commit-interval takes a number"),
            ('commit-interval = ["1"]', "--commit-interval takes a number"),
            ("device = 7", "--device takes a text, or a list of texts"),
            ("device = [7]", "--device takes a text, or a list of texts"),
            ("enable-api = 2", "--enable-api takes yes or no"),
            ("state-dir = 7", "--state-dir"),
        ):
            self.assertIn(words, self.sentence(config=self.file(line)))

    def test_a_file_that_cannot_be_read(self) -> None:
        """It is named, with the reason."""
        missing = self.mktemp()
        self.assertIn(f"--config {missing} can't be read", self.sentence(config=missing))
        self.assertIn("can't be read", self.sentence(config=self.file("zone = ")))
        latin = Path(self.mktemp())
        latin.write_bytes(b'zone = "caf\xe9"')
        self.assertIn("can't be read", self.sentence(config=str(latin)))

    def test_an_option_in_the_file_that_there_is_not(self) -> None:
        """A spelling mistake is not silently ignored, nor is the name of a setting inside the program."""
        for name in ("zoen", "commit_interval", "config"):
            path = self.file(f'{name} = "x"')
            self.assertIn(f"{path} sets '{name}', which is no option", self.sentence(config=path))

    def test_a_demo_beside_a_real_meter(self) -> None:
        """Simulated readings never stand among real ones."""
        self.assertIn("--demo and --device exclude each other", self.sentence(demo=True, device=["/dev/ttyUSB0"]))

    def test_a_past_without_a_demo(self) -> None:
        """Nobody's real past is invented."""
        self.assertIn("--demo-days", self.sentence(demo_days="3"))
        self.assertEqual(self.settings(demo_days="3", demo=True).demo_days, 3)

    def test_keeping_backups_that_nobody_makes(self) -> None:
        """Whoever says how many backups to keep wants some to be made."""
        self.assertEqual(
            self.sentence(keep="30"), "--keep says how many backups of --backup-daily are kept, and none are made."
        )
        self.assertEqual(self.settings(keep="30", backup_daily="/mnt/disk").keep, 30)

    def test_there_is_something_to_serve(self) -> None:
        """Telegrams are served of what is read: a device, or the simulated house."""
        self.assertIn("--p1-server serves what a device prints", self.sentence(p1_server="tcp:2001"))
        for source in ({"demo": True}, {"device": ["/dev/ttyUSB0"]}):
            self.assertEqual(self.settings(p1_server="tcp:2001", **source).p1_server, "tcp:2001")

    def test_a_key_without_a_meter(self) -> None:
        """A key is for what a device prints, in bytes of eight bits."""
        self.assertIn("--decryption-key-file is about what a --device reads", self.sentence(decryption_key_file="key"))
        words = "--decryption-key-file needs --baud 115200"
        self.assertIn(words, self.sentence(decryption_key_file="key", device=["/dev/ttyUSB0"], baud="9600"))
        settings = self.settings({"DSMR_DECRYPTION_KEY_FILE": "/etc/dsmr.key"}, device=["/dev/ttyUSB0"])
        self.assertEqual(settings.decryption_key_file, Path("/etc/dsmr.key"))
        self.assertIsNone(self.settings().decryption_key_file)

    def test_certificates_for_nobody(self) -> None:
        """They say which servers are believed that telegrams are sent to."""
        self.assertIn("there is no --forward", self.sentence(ca_file="ca.pem"))
        settings = self.settings(forward=["https://a.example"], forward_key_file=["key"], ca_file="ca.pem")
        self.assertEqual((settings.forward, settings.ca_file), (("https://a.example",), Path("ca.pem")))

    def test_a_password_is_not_repeated(self) -> None:
        """What stands in a database's address may be secret, and a refusal ends up in a log."""
        sentence = self.sentence(database="mysql://dsmr:secret@db.example/dsmr")
        self.assertIn("mysql://", sentence)
        self.assertNotIn("secret", sentence)
        self.assertNotIn("secret", repr(self.settings(database="postgresql://dsmr:secret@db.example/dsmr")))

    def test_a_database_on_a_server(self) -> None:
        """Either spelling of its URL; a path is a file in any case."""
        for url in ("postgresql://dsmr@db.example/dsmr", "postgres:///dsmr"):
            self.assertEqual(self.settings(database=url).database_url, url)
        self.assertIsNone(self.settings(database="sqlite:postgresql").database_url)
