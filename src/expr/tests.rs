//! Laws of the language: Python's trees, round trips, no text that breaks it; and how mistakes look.

use super::{ast::*, *};
use proptest::prelude::*;

/// The tree without its places, by printing: names, operators and shape as nested lists.
fn tree(e: &Expr) -> String {
    let all = |items: &[Expr]| items.iter().map(|i| format!(" {}", tree(i))).collect::<String>();
    match &e.kind {
        ExprKind::Unary(op, x) => format!("({} {})", op.symbol(), tree(x)),
        ExprKind::Binary(op, x, y) => format!("({} {} {})", op.symbol(), tree(x), tree(y)),
        ExprKind::Compare { first, rest } => {
            let rest: String = rest.iter().map(|(op, x)| format!(" {} {}", op.symbol(), tree(x))).collect();
            format!("(compare {}{rest})", tree(first))
        }
        ExprKind::Field(base, name) => format!("(. {} {name})", tree(base)),
        ExprKind::List(items) => format!("(list{})", all(items)),
        ExprKind::Call { function, args } => {
            let named = |a: &Arg| a.name.as_ref().map(|n| format!("{n}=")).unwrap_or_default();
            let args: String = args.iter().map(|a| format!(" {}{}", named(a), tree(&a.value))).collect();
            format!("(call {function}{args})")
        }
        ExprKind::Index { base, items } => {
            let items: String = items.iter().map(|i| format!(" {}", item(i))).collect();
            format!("(index {}{items})", tree(base))
        }
        _ => e.to_string(),
    }
}

fn item(item: &IndexItem) -> String {
    let part = |e: &Option<Expr>| e.as_ref().map_or("_".to_string(), tree);
    let dim = item.dim.as_ref().map(|d| format!("{d}=")).unwrap_or_default();
    match &item.kind {
        IndexKind::Value(e) => dim + &tree(e),
        IndexKind::Ellipsis => dim + "...",
        IndexKind::Slice { start, stop, step } => format!("{dim}(: {} {} {})", part(start), part(stop), part(step)),
    }
}

fn trees(program: &Program) -> Vec<String> {
    let one = |s: &Statement| match s {
        Statement::Assign { name, value, .. } => format!("{name} = {}", tree(value)),
        Statement::SetAttr { name, attr, value, .. } => format!("{name}.{attr} = {}", tree(value)),
    };
    program.statements.iter().map(one).collect()
}

fn value_of(source: &str) -> Result<String, Diagnostic> {
    let program = parse(&format!("x = {source}"))?;
    Ok(trees(&program)[0].strip_prefix("x = ").unwrap().to_string())
}

fn error(source: &str) -> String {
    format!("aosx: error: {}", parse(source).unwrap_err().in_source(source))
}

#[test]
fn trees_are_those_of_python() {
    let mut checked = 0;
    for line in include_str!("../../fixtures/expr/python.txt").lines() {
        let (source, expected) = line.split_once('\t').unwrap();
        let got = value_of(source).unwrap_or("error".into());
        assert_eq!(got, expected, "{source}");
        checked += 1;
    }
    assert_eq!(checked, 400);
}

#[test]
fn forms_that_python_lacks() {
    for (source, expected) in [
        ("mean(t, time)", "(call mean t time)"),
        ("t[time=0]", "(index t time=0)"),
        ("t[lat=10:20, lon=::-1, ...]", "(index t lat=(: 10 20 _) lon=(: _ _ (- 1)) ...)"),
        ("t[time='1991-07':'1992']", "(index t time=(: \"1991-07\" \"1992\" _))"),
        ("t - clim(t, time.month)", "(- t (call clim t (. time month)))"),
        ("t[time.season == \"DJF\"]", "(index t (compare (. time season) == \"DJF\"))"),
        ("`group/sub/t` / a.`group/u`", "(/ `group/sub/t` (. a `group/u`))"),
        ("t[newaxis, :]", "(index t None (: _ _ _))"),
        ("quantile(t, [0.1, 0.5,], time)", "(call quantile t (list 0.1 0.5) time)"),
        ("0xff & ~1", "(& 255 (~ 1))"),
        ("true or False", "(or true false)"),
    ] {
        assert_eq!(value_of(source).unwrap(), expected, "{source}");
    }
    let program = "\n a = 1 # one\n\n;; b = (2 +\n 3); a.units = \"K\"\n b.valid_range = [-1, nan]\n a.x = None";
    assert_eq!(
        trees(&parse(program).unwrap()),
        ["a = 1", "b = (+ 2 3)", "a.units = \"K\"", "b.valid_range = (list (- 1) nan)", "a.x = None"]
    );
    assert_eq!(parse(" \n # nothing\n").unwrap().statements, []);
}

#[test]
fn every_node_knows_its_place() {
    let source = "speed = -sqrt(u ** 2, k=[v]) < (a.b)[0:1]; speed.units = 'K'";
    let program = parse(source).unwrap();
    let at = |span: Span| &source[span.start..span.end];
    let Statement::Assign { name, value, span } = &program.statements[0] else { panic!() };
    assert_eq!((at(name.span), at(*span)), ("speed", "speed = -sqrt(u ** 2, k=[v]) < (a.b)[0:1]"));
    let ExprKind::Compare { first, rest } = &value.kind else { panic!() };
    assert_eq!((at(first.span), at(rest[0].1.span)), ("-sqrt(u ** 2, k=[v])", "(a.b)[0:1]"));
    let ExprKind::Unary(_, call) = &first.kind else { panic!() };
    let ExprKind::Call { function, args } = &call.kind else { panic!() };
    assert_eq!((at(function.span), at(args[0].value.span), at(args[1].value.span)), ("sqrt", "u ** 2", "[v]"));
    assert_eq!(at(args[1].name.as_ref().unwrap().span), "k");
    let ExprKind::Index { base, items } = &rest[0].1.kind else { panic!() };
    assert_eq!((at(base.span), at(items[0].span)), ("(a.b)", "0:1"));
    let Statement::SetAttr { attr, value, span, .. } = &program.statements[1] else { panic!() };
    assert_eq!((at(attr.span), at(value.span), at(*span)), ("units", "'K'", "speed.units = 'K'"));
}

#[test]
fn literals_need_no_inputs() {
    let literal = |source: &str| {
        let program = parse(&format!("x = {source}")).unwrap();
        let Statement::Assign { value, .. } = &program.statements[0] else { panic!() };
        value.literal()
    };
    assert_eq!(literal("-18446744073709551615"), Some(Literal::Int(-(u64::MAX as i128))));
    assert_eq!(literal("-inf"), Some(Literal::Float(f64::NEG_INFINITY)));
    assert_eq!(literal("['a', true]"), Some(Literal::List(vec![Literal::Text("a".into()), Literal::Bool(true)])));
    assert_eq!(literal("None"), Some(Literal::None));
    for none in ["t", "1 + 1", "[[1]]", "-'a'", "+true", "f(1)"] {
        assert_eq!(literal(none), None, "{none}");
    }
}

#[test]
fn depth_is_bounded_both_ways() {
    let nested = |n: usize| format!("x = {}t{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&nested(DEPTH_MAX - 1)).is_ok());
    assert!(parse(&nested(DEPTH_MAX)).unwrap_err().message.contains("nested more than 200 deep"));
    let n = LENGTH_MAX - 10;
    for deep in [
        nested(n / 2),
        format!("x = {}t", "-".repeat(n)),
        format!("x = {}t", "not ".repeat(n / 4)),
        format!("x = t{}", " + t".repeat(n / 4)),
        format!("x = t{}", "**t".repeat(n / 3)),
        format!("x = t{}", ".t".repeat(n / 2)),
        format!("x = t{}", "[0]".repeat(n / 3)),
        format!("x = {}", "f(".repeat(n / 2)),
        format!("x = {}", "[".repeat(n)),
        "(".repeat(n),
        "f(".repeat(n / 2),
    ] {
        let wrong = parse(&deep).unwrap_err();
        assert!(wrong.message.contains("nested more than 200 deep"), "{}", wrong.message);
        assert!(wrong.render(&deep).len() < 1000);
    }
    let flat = format!("x = f({}t)", "t,".repeat(n / 2 - 10));
    assert!(parse(&flat).is_ok(), "many arguments are not deep");
    let many = "x = 1\n".repeat(n / 6);
    assert_eq!(parse(&many).unwrap().statements.len(), n / 6, "nor are many statements");
}

/// What the user sees; one test, so that they can be read side by side.
#[test]
fn mistakes_are_shown() {
    for (source, expected) in [
        ("a = mean(t, time", "expected ')' to close this '('\n  a = mean(t, time\n          ^"),
        (
            "a = mean(t, time]",
            "expected ',' or ')' to close this '(', found ']'\n  a = mean(t, time]\n          -       ^",
        ),
        (
            "a = mean(t,\n  time\nb = 2",
            "expected ',' or ')' to close this '(', found 'b'\n  1 | a = mean(t,\n    |         -\n  3 | b = 2\n    | ^",
        ),
        ("a = t -", "expected a value after '-', found the end\n  a = t -\n         ^"),
        (
            "a = t -\nb = 2",
            "expected a value after '-', found the end of the line; what goes on in the next line stands in parentheses\n  \
             1 | a = t -\n    |        ^",
        ),
        ("a = t - # c ", "expected a value after '-', found the end\n  a = t - # c \n         ^"),
        ("a = t * / 2", "expected a value after '*', found '/'\n  a = t * / 2\n          ^"),
        (
            "a = 2 t",
            "expected an operator, or ';' or a new line before the next statement, found 't'\n  a = 2 t\n        ^",
        ),
        (
            "a = 2(t + 1)",
            "only the name of a function can stand before '('; is a '*' missing?\n  a = 2(t + 1)\n      -^",
        ),
        ("a = t)", "')' closes nothing that is open\n  a = t)\n       ^"),
        ("mean(t, time)", "the result has no name; write x = ... before it\n  mean(t, time)\n  ^^^^^^^^^^^^^"),
        ("t + 1 = a", "only a name, or name.attribute, can stand before '='\n  t + 1 = a\n  ^^^^^"),
        ("= 3", "expected a statement, such as x = t + 1, found '='\n  = 3\n  ^"),
        ("not = 3", "expected a value after 'not', found '='\n  not = 3\n      ^"),
        (
            "a = t == 3 = 4",
            "expected an operator, or ';' or a new line before the next statement, found '='; '==' compares\n  \
             a = t == 3 = 4\n             ^",
        ),
        (
            "a = where(t = 3, 1, 2)",
            "an argument without a name stands behind one with a name; put it first, or compare by '=='\n  \
             a = where(t = 3, 1, 2)\n            -      ^",
        ),
        (
            "a = t if u > 3 else v",
            "expected an operator, or ';' or a new line before the next statement, found 'if'; write where(condition, x, y)",
        ),
        ("a = t.mean(time)", "'mean' is called as a method; write mean(...), with the array as an argument\n"),
        ("a = t[]", "the brackets are empty; write a position, as t[0]\n  a = t[]\n       ^^"),
        ("a = t[time=]", "expected a position or a range, found ']'\n  a = t[time=]\n             ^"),
        ("a = t[time=...]", "'...' stands for several dimensions, not for 'time'; all of one dimension is ':'\n"),
        ("a = t[1:2:3:4]", "expected ',' or ']' to close this '[', found ':'\n"),
        ("a = std(t, ddof=1, time)", "an argument without a name stands behind one with a name; put it first"),
        ("a = std(t, ddof=1, ddof=2)", "argument 'ddof' is given twice\n"),
        ("a.units = K", "the value of attribute 'units' is text in quotes or a number; write \"K\"\n"),
        ("a.units", "the result has no name; write x = ... before it\n"),
        ("a = 1 + not b", "'not' needs parentheses here; write (not x)\n"),
        ("a = t && u", "there is no '&&'; write 'and'\n  a = t && u\n        ^^"),
        ("a = 2m_t", "'2m_t' is no number; a name that begins with a digit stands in backquotes: `2m_t`\n"),
        ("température = t −1", "there is no '−'; write '-'\n  température = t −1\n                  ^"),
        (
            "and = 1",
            "expected a statement, such as x = t + 1, found 'and'; a variable of that name stands in backquotes: `and`",
        ),
    ] {
        let got = error(source);
        let expected = format!("aosx: error: expression: {expected}");
        assert!(got.starts_with(&expected), "{source}\n--- got\n{got}\n--- expected\n{expected}");
    }
}

fn soup() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a", "t", "mean", "`x/y`", "1", "2.5", "'s'", "\"", "'", "`", "+", "-", "**", "*", "/", "//", "@", "~", "not",
        "and", "or", "<", "<=", "==", "=", "=", "(", ")", "[", "]", ",", ";", "\n", ":", ".", "...", "#", "\\\n",
        "nan", "true", "None", "é", "温", "\t", "\r\n", " ", "0x", "1e", "\\", "!",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["a", "t", "time", "θ", "None", "not", "2m", "group/t", "x`y", "if", "_", "e"])
            .prop_map(String::from),
        "[^\\p{Cc}]{1,4}",
    ]
}

fn ident() -> impl Strategy<Value = Ident> {
    name().prop_map(|name| Ident { name, span: Span::default() })
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(|n| ExprKind::Number(Number::Int(n))),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| ExprKind::Number(Number::Float(x.abs()))),
        any::<String>().prop_map(ExprKind::Text),
        any::<bool>().prop_map(ExprKind::Bool),
        Just(ExprKind::None),
        name().prop_map(ExprKind::Name),
    ];
    leaf.prop_map(bare).prop_recursive(6, 60, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let part = || prop::option::of(inner.clone());
        let kind = prop_oneof![
            inner.clone().prop_map(IndexKind::Value),
            (part(), part(), part()).prop_map(|(start, stop, step)| IndexKind::Slice { start, stop, step }),
        ];
        let item =
            (prop::option::of(ident()), kind).prop_map(|(dim, kind)| IndexItem { dim, kind, span: Span::default() });
        let dots = IndexItem { dim: None, kind: IndexKind::Ellipsis, span: Span::default() };
        let item = prop_oneof![9 => item, 1 => Just(dots)];
        let arg = inner.clone().prop_map(|value| Arg { name: None, value });
        let keyword = prop::option::of((ident(), inner.clone()));
        let keyword = keyword.prop_map(|k| k.map(|(name, value)| Arg { name: Some(name), value }));
        let pair = (inner.clone(), inner.clone());
        let compared = prop::collection::vec((prop::sample::select(&CompareOp::ALL[..]), inner.clone()), 1..3);
        prop_oneof![
            (prop::sample::select(&UnaryOp::ALL[..]), inner.clone())
                .prop_map(|(op, x)| ExprKind::Unary(op, Box::new(x))),
            (prop::sample::select(&BinaryOp::ALL[..]), pair).prop_map(|(op, (x, y))| ExprKind::Binary(
                op,
                Box::new(x),
                Box::new(y)
            )),
            (inner.clone(), compared).prop_map(|(x, rest)| ExprKind::Compare { first: Box::new(x), rest }),
            (inner.clone(), ident()).prop_map(|(base, name)| ExprKind::Field(Box::new(base), name)),
            (ident(), prop::collection::vec(arg, 0..3), keyword).prop_map(|(function, mut args, keyword)| {
                args.extend(keyword);
                ExprKind::Call { function, args }
            }),
            (inner.clone(), prop::collection::vec(item, 1..4))
                .prop_map(|(base, items)| ExprKind::Index { base: Box::new(base), items }),
            list.prop_map(ExprKind::List),
        ]
        .prop_map(bare)
    })
}

fn bare(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

/// Parses, and prints either the program or the mistake: neither may panic, and a program reads back as it was.
fn survives(source: &str) {
    match parse(source) {
        Ok(program) => {
            let printed = program.to_string();
            let again = parse(&printed).unwrap_or_else(|e| panic!("{printed}\n{}", e.render(&printed)));
            assert_eq!(trees(&again), trees(&program), "{printed}");
            assert_eq!(again.to_string(), printed);
        }
        Err(wrong) => {
            for span in [Some(wrong.span), wrong.related].into_iter().flatten() {
                assert!(source.get(span.start..span.end).is_some(), "{wrong:?}");
            }
            assert!(wrong.in_source(source).to_string().contains('^'));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn token_soup_never_panics(source in soup()) {
        survives(&source);
        survives(&format!("x = {source}"));
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn text_never_panics(source in any::<String>()) {
        survives(&source);
        survives(&format!("x = `{source}` + '{source}'"));
    }

    #[test]
    fn what_is_printed_reads_back_the_same(value in expr(), name in ident()) {
        let program = Program { statements: vec![Statement::Assign { name, value, span: Span::default() }] };
        let printed = program.to_string();
        let again = parse(&printed).unwrap_or_else(|e| panic!("{}", e.render(&printed)));
        prop_assert_eq!(trees(&again), trees(&program), "{}", printed);
    }
}
