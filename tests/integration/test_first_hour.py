"""The script that plays a newcomer's first hour does, against the simulator: every command answers as it should."""

from support.shell import Shell


def test_the_first_hour_goes_as_it_should(played: Shell):
    done = played.play("sh scripts/first_hour.sh")
    assert done.failed == [], done.printed
    assert done.printed.count(" ./run ") == 29
    assert "should be" not in done.printed


def test_a_command_that_answers_otherwise_is_told(played: Shell):
    done = played.play("mkdir other; sed 's/try 64 .*synk/try 0 .\\/run synk/' scripts/first_hour.sh >other/hour.sh; sh other/hour.sh")
    assert done.failed == ["1 sh other/hour.sh"]
    assert 'should be 0: modelsync: Unknown command "synk". Did you mean "sync"?' in done.printed
