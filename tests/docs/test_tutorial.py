"""The tutorial, followed to the letter by someone who has nothing but the program."""

from follow import follow


def test_ten_minutes(tmp_path, forker):
    follow("tutorial/ten-minutes.md", tmp_path, forker)
