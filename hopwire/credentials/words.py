"""Words that passwords are made of everywhere, with digits and signs around them."""

WORDS = frozenset(
    """
    abc abcd abcdef access admin administrator alexander alexandra andrew andrey andriy android angel
    angels anthony apple april arsenal asd asdf august autumn baby babygirl banana barcelona baseball
    basketball batman blessed business butterfly change changeme chelsea cherry chocolate company
    computer cookie daniel darling david december default demo dinamo dmitry dmytro dollar dolphin
    dragon dynamo eagle elena facebook family father february flower flowers football forever freedom
    friday gateway ginger god google guest heaven hello hockey honey hopwire igor iloveu iloveyou
    internet iphone ivan january jennifer jessica jesus jesuschrist july june juventus keyboard kharkiv
    kiev king kyiv letme letmein linux lion liverpool login love lovely lover loveyou lucky lviv mama
    manager march maria marina master matrix message michael michelle microsoft million mobile monday
    money monitor monkey moonlight mother natasha nokia nothing november october odesa odessa office
    oksana oleg olena orange parol parole pass passw passwd password passwort pepper phone pikachu
    pokemon prince princess qazwsx queen qwe qwert qwerty rainbow realmadrid root samsung sasha saturday
    secret secrets september sergey serhiy service shakhtar slavaukraini sms soccer spiderman spring
    star stars starwars summer sunday sunny sunshine superman support sweet sweetheart tatyana telegram
    test tester testing tetiana thursday tiger trustno trustnoone tuesday ukraina ukraine user viber
    victory vladimir volodymyr wednesday welcome whatever windows winter zxc героямслава зайчик йцукен
    київ котик кохання львів люблю любов мама пароли пароль привіт родина секрет славаукраїні сонечко
    сонце тато україна
    """.split()  # noqa: SIM905 - a list of them would be six times as long
)
