"""The words that names are made of: two lists for every kind of thing, and nicknames."""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_WORDS: Mapping[str, tuple[str, ...]] = {
    "person": _words(
        """ada boris clara dmitri elena felix greta hugo ines jonas karin leon mara nils olga pavel
        quentin rosa stefan tilda ursula victor wanda xavier yara zeno anton bella casper dora emil
        flora gustav hilda igor julia kurt lydia magnus nora oscar petra rufus selma tobias ulrich
        vera walter agnes bruno cora dirk edith franz gilda henrik iris jakob kasimir lorenz mina
        norbert otto paula"""
    ),
    "city": _words(
        """port fort saint lake mount cape bay glen santa villa castle bridge mill abbey market
        ferry sunny fair high long little grand white black red green east west clear deep stone
        oak"""
    ),
    "country": _words(
        """north south upper lower free united greater inner outer central royal federal island
        coastal eastern western"""
    ),
    "film": _words(
        """silent crimson broken hidden frozen burning lonely savage velvet hollow electric midnight
        restless scarlet fatal wicked gentle stolen twisted shining drowning rising falling
        blind"""
    ),
    "book": _words(
        """golden forgotten secret ancient endless wandering whispering unwritten sacred borrowed
        patient painted crooked quiet sleeping northern"""
    ),
    "company": _words(
        """apex vertex orbit quantum nimbus pioneer summit cobalt titan aurora beacon zenith atlas
        delta fusion horizon matrix omega prism vector"""
    ),
    "team": _words(
        """rapid sporting dynamo racing athletic inter real young swift mighty iron thunder flying
        fighting valiant lucky rugged fearless wild proud"""
    ),
}
"""Kind -> first words of its names, a multiple of `RESIDUES` of them."""

SECOND_WORDS: Mapping[str, tuple[str, ...]] = {
    "person": _words(
        """moreau lindqvist okafor petrov tanaka weiss novak hansen silva kovacs dubois ferrari
        larsen mendez nowak olsen rossi sato varga yilmaz abbott becker carver dalton eriksson
        fischer garcia hoffman ivanov jensen keller lambert marin nakamura ortega palmer quinn
        ramirez schulz thorne ueda vogel whitaker zimmer arnold brandt castillo dietrich ekman
        fontaine gruber holm ibarra joyce kaplan leclerc mercer navarro osborne pereira renard
        sorensen tolstoy ulbricht"""
    ),
    "city": _words(
        """aldane brimmel corvath dunmore elsting farrow galdora hexley ilmar jarrow kelvane lorvik
        mirelle nordam ostrava pellan quarrel rodane selby tarnow ulster vesper wendel yarmouth
        zelmar arden belfort calder dorwin evora fenwick garland"""
    ),
    "country": _words(
        """belvaria cordania drovenia estara falmora gravonia halvenia istrana jorvia kestria
        lumeria marovia nestoria ostenia pravia rovania"""
    ),
    "film": _words(
        """harbour mirror carnival winter machine stranger garden shadow river promise tiger circus
        runaway lantern empire orchid verdict voyage signal canyon phantom waltz prisoner
        tide"""
    ),
    "book": _words(
        """letter library cartographer orchard clockmaker lighthouse manuscript gardener kingdom
        diary archive chronicle atelier monastery season pilgrim"""
    ),
    "company": _words(
        """industries motors holdings systems foods airlines textiles energy media logistics
        chemicals partners studios robotics mining pharma electronics shipping insurance
        breweries"""
    ),
    "team": _words(
        """tigers eagles wolves sharks bears rovers wanderers hornets comets rangers lions hawks
        pirates giants bulls cobras stags panthers knights badgers"""
    ),
}
"""Kind -> second words of its names, as many as first words."""

NICKNAMES = _words(
    """falcon baker duke magician fox wizard doctor sparrow hammer captain raven viper hermit
    admiral
    jester owl banker cobbler rocket ghost butcher champion poet lynx shepherd scholar cyclone
    dancer hunter professor weaver baron rebel prophet bishop sailor blacksmith needle marshal
    whale arrow mason sphinx governor oracle nightingale mule jackal colonel panda tailor
    drummer gambler puma swan inventor outlaw monk heron bandit painter juggler acrobat
    miller"""
)
"""What people are also called, behind "the"."""

ARTICLES = ("the", "a", "an")
"""Words that do not count in an answer."""
