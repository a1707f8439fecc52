import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopwire import sms
from hopwire.translit import to_gsm

GSM = [chr(c) for c in sms._BY_ALPHABET["gsm"].septets]
NATIONAL = {chr(c) for script in sms._BY_LANGUAGE.values() for c in script.septets}
LETTERS = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюяёъыэ"


NAMES = (  # the examples of the resolution
    "Алушта=Alushta Андрій=Andrii Борщагівка=Borshchahivka Борисенко=Borysenko Вінниця=Vinnytsia "
    "Володимир=Volodymyr Гадяч=Hadiach Богдан=Bohdan Згурський=Zghurskyi Ґалаґан=Galagan Ґорґани=Gorgany "
    "Донецьк=Donetsk Дмитро=Dmytro Рівне=Rivne Олег=Oleh Есмань=Esman Єнакієве=Yenakiieve Гаєвич=Haievych "
    "Короп’є=Koropie Житомир=Zhytomyr Жанна=Zhanna Жежелів=Zhezheliv Закарпаття=Zakarpattia "
    "Казимирчук=Kazymyrchuk Медвин=Medvyn Михайленко=Mykhailenko Іванків=Ivankiv Іващенко=Ivashchenko "
    "Їжакевич=Yizhakevych Кадиївка=Kadyivka Мар’їне=Marine Йосипівка=Yosypivka Стрий=Stryi Олексій=Oleksii "
    "Київ=Kyiv Коваленко=Kovalenko Лебедин=Lebedyn Леонід=Leonid Миколаїв=Mykolaiv Маринич=Marynych "
    "Ніжин=Nizhyn Наталія=Nataliia Одеса=Odesa Онищенко=Onyshchenko Полтава=Poltava Петро=Petro "
    "Решетилівка=Reshetylivka Рибчинський=Rybchynskyi Суми=Sumy Соломія=Solomiia Тернопіль=Ternopil "
    "Троць=Trots Ужгород=Uzhhorod Уляна=Uliana Фастів=Fastiv Філіпчук=Filipchuk Харків=Kharkiv "
    "Христина=Khrystyna Біла_Церква=Bila_Tserkva Стеценко=Stetsenko Чернівці=Chernivtsi "
    "Шевченко=Shevchenko Шостка=Shostka Кишеньки=Kyshenky Щербухи=Shcherbukhy Гоща=Hoshcha "
    "Гаращенко=Harashchenko Юрій=Yurii Корюківка=Koriukivka Яготин=Yahotyn Ярошенко=Yaroshenko "
    "Костянтин=Kostiantyn Знам’янка=Znamianka Феодосія=Feodosiia Згорани=Zghorany Розгон=Rozghon"
)


@pytest.mark.parametrize("pair", NAMES.split())
def test_a_name_is_written_as_the_resolution_writes_it(pair: str) -> None:
    ukrainian, _, latin = pair.partition("=")
    assert to_gsm(ukrainian) == latin


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        pytest.param("ЄВРОПА Європа європа", "YEVROPA Yevropa yevropa", id="the beginning of a word"),
        pytest.param("ЩО Що Щ", "SHCHO Shcho Shch", id="a capital of four letters"),
        pytest.param("БОРЩ МОЯ ПрАТ", "BORSHCH MOIA PrAT", id="a capital at the end"),
        pytest.param("Я і Ти", "Ya i Ty", id="a word of one capital"),
        pytest.param("ЗГОДА Згода", "ZGHODA Zghoda", id="zh is another letter"),
        pytest.param("М'ЯСО м’ята мʼяч об`єкт", "MIASO miata miach obiekt", id="an apostrophe in a word"),
        pytest.param("'так' don't", "'tak' don't", id="an apostrophe elsewhere"),
        pytest.param("веб-Їжак 5я (юні)", "veb-Yizhak 5ya (yuni)", id="a word begins after anything else"),
        pytest.param("Їdна", "Yidna", id="both alphabets in one word"),
        pytest.param("Ёлка ещё объём", "Yolka eshchyo obyom", id="Russian io"),
        pytest.param("Эхо мышь Ы", "Ekho mysh Y", id="Russian letters"),
        pytest.param("Ўсё", "Usyo", id="a further letter with a mark"),
        pytest.param("и\u0306 і\u0308", "y yi", id="letters in two pieces"),
        pytest.param("за\u0301мок", "zamok", id="a stress"),
        pytest.param("ђ", "ђ", id="a Serbian letter stays"),
    ],
)
def test_cyrillic_is_transliterated(text: str, plain: str) -> None:
    assert to_gsm(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        pytest.param("«так» „так“ “так” ″", '"tak" "tak" "tak" "', id="double quotation marks"),
        pytest.param("‘a’ ‚b‘ ‹c› `d`", "'a' 'b' 'c' 'd'", id="single quotation marks and backticks"),
        pytest.param("a – b — c‑d − e", "a - b - c-d - e", id="dashes"),
        pytest.param("• a ◦ b", "- a - b", id="bullets"),
        pytest.param("так…", "tak...", id="an ellipsis"),
        pytest.param("1\xa0000\u202f000\u2009₴\tx", "1 000 000 UAH x", id="spaces"),
        pytest.param("a\u2028b", "a\nb", id="a line"),
        pytest.param("a\u200bb\xadc\ufeffd\u2060e", "abcde", id="what has no width"),
        pytest.param("№5 2×2 ™ ® ©", "N5 2x2 (TM) (R) (C)", id="signs"),
        pytest.param("áàâ ŠšÇç Åå ñ", "aàa SsÇc Åå ñ", id="marks that the alphabet lacks"),
        pytest.param("Łódź đ ı œ", "Lodz d i oe", id="strokes"),
        pytest.param("ﬁ Ａ", "fi A", id="forms of letters"),
        pytest.param("10² ½ ≠ 25°", "10² ½ ≠ 25°", id="what would mean something else stays"),
        pytest.param("=\u0338", "≠", id="a stroke through a sign stays"),
        pytest.param("😀👨‍👩‍👧", "😀👨👩👧", id="a picture stays"),
        pytest.param("Ώ Ǽ", "Ω Æ", id="a mark on a letter of the alphabet"),
        pytest.param("με", "με", id="other Greek stays"),
    ],
)
def test_signs_and_marks_are_written_plainly(text: str, plain: str) -> None:
    assert to_gsm(text) == plain


@given(st.text(st.sampled_from(GSM)))
def test_what_fits_stays(text: str) -> None:
    assert to_gsm(text) == text


@given(st.text(st.sampled_from([*LETTERS, *LETTERS.upper(), *NATIONAL, *"'’«»—…№ \u0301"])))
def test_ukrainian_and_the_national_tables_fit(text: str) -> None:
    assert set(to_gsm(text)) <= set(GSM)


def test_a_character_becomes_four_at_most() -> None:
    assert max(len(to_gsm(chr(c))) for c in range(0x30000)) == 4


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_can_be_transliterated_twice(text: str) -> None:
    once = to_gsm(text)
    assert to_gsm(once) == once
