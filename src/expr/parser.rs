//! [`parse`]: tokens to a tree, by Pratt's method: each operator has a [`Binding`], and takes what binds tighter.
//!
//! Source: Pratt 1973, Top down operator precedence.

use super::{
    ast::{
        Arg, BinaryOp, Binding, CompareOp, Expr, ExprKind, Ident, IndexItem, IndexKind, Number, Program, Span,
        Statement, UnaryOp,
    },
    diagnostic::Diagnostic,
    lexer::{RESERVED, Token, tokens},
};

/// How deep expressions may be nested, and how tall their trees may be: every walk over a tree fits the stack.
pub const DEPTH_MAX: usize = 200;

/// Reads the statements of a text.
///
/// ```
/// let program = aosx::expr::parse("anom = t - mean(t, time); anom.units = 'K'").unwrap();
/// assert_eq!(program.to_string(), "anom = t - mean(t, time)\nanom.units = \"K\"\n");
/// ```
///
/// # Errors
/// The first mistake: see [`Diagnostic::in_source`].
pub fn parse(source: &str) -> Result<Program, Diagnostic> {
    let tokens = tokens(source)?;
    Parser { source, tokens: &tokens, at: 0, depth: 0 }.program()
}

struct Parser<'a> {
    source: &'a str,
    /// Ends with [`Token::End`], which is never passed.
    tokens: &'a [(Token, Span)],
    at: usize,
    depth: usize,
}

/// An expression with the height of its tree.
struct Tree {
    expr: Expr,
    height: usize,
}

type Parsed<T> = Result<T, Diagnostic>;

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a Token {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1
    }

    /// Where a mark shows what is missing: at the next token, or, at the end of a line, right behind the last one.
    fn place(&self) -> Span {
        match (self.peek(), self.at.checked_sub(1)) {
            (Token::Newline | Token::End, Some(last)) => (self.tokens[last].1.end..self.tokens[last].1.end).into(),
            _ => self.span(),
        }
    }

    /// The token behind the next.
    fn second(&self) -> &'a Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].0
    }

    fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Token::Mark(m) if *m == mark)
    }

    /// Passes the mark, if it is the next token, and says where it stood.
    fn take(&mut self, mark: &str) -> Option<Span> {
        let span = self.span();
        self.is(mark).then(|| self.advance()).map(|()| span)
    }

    /// The next token in words.
    fn found(&self) -> String {
        match self.peek() {
            Token::End => "the end".into(),
            Token::Newline => "the end of the line".into(),
            _ => {
                let written = &self.source[self.span().start..self.span().end];
                match written.char_indices().nth(24) {
                    Some((cut, _)) => format!("'{}...'", &written[..cut]),
                    None => format!("'{written}'"),
                }
            }
        }
    }

    /// What was expected, and what stands there.
    fn expected(&self, what: impl std::fmt::Display) -> Diagnostic {
        let wrong = Diagnostic::new(self.place(), format!("expected {what}, found {}", self.found()));
        match self.peek() {
            Token::Mark(word) if RESERVED.contains(word) => {
                wrong.with_help(format!("a variable of that name stands in backquotes: `{word}`"))
            }
            _ => wrong,
        }
    }

    fn program(&mut self) -> Parsed<Program> {
        let mut statements = Vec::new();
        loop {
            while matches!(self.peek(), Token::Newline | Token::Mark(";")) {
                self.advance();
            }
            if *self.peek() == Token::End {
                return Ok(Program { statements });
            }
            statements.push(self.statement()?);
            if !matches!(self.peek(), Token::Newline | Token::End | Token::Mark(";")) {
                return Err(self.unfinished());
            }
        }
    }

    /// An expression is complete, and what follows does not go on with it.
    fn unfinished(&self) -> Diagnostic {
        let wrong = self.expected("an operator, or ';' or a new line before the next statement");
        match self.peek() {
            Token::Mark("=") => wrong.with_help("'==' compares"),
            Token::Mark(")" | "]") => {
                Diagnostic::new(self.span(), format!("{} closes nothing that is open", self.found()))
            }
            Token::Name(word) if word == "if" => wrong.with_help("write where(condition, x, y)"),
            Token::Name(word) if word == "in" => wrong.with_help("write isin(x, [1, 2])"),
            Token::Name(word) if word == "is" => wrong.with_help("write '=='"),
            Token::Mark("not") if matches!(self.second(), Token::Name(word) if word == "in") => {
                wrong.with_help("write not isin(x, [1, 2])")
            }
            _ => wrong,
        }
    }

    fn statement(&mut self) -> Parsed<Statement> {
        let start = self.span();
        let Some(name) = self.ident() else { return Err(self.no_statement()) };
        if self.take(".").is_some() {
            let attr = self.ident().ok_or_else(|| self.expected("the name of an attribute after '.'"))?;
            if self.take("=").is_none() {
                self.at -= 3;
                return Err(self.no_statement());
            }
            let value = self.expression(Binding::Loosest)?.expr;
            if value.literal().is_none() {
                let wrong = format!("the value of attribute '{}' is text in quotes or a number", attr.name);
                let help = matches!(value.kind, ExprKind::Name(_));
                let wrong = Diagnostic::new(value.span, wrong);
                let written = &self.source[value.span.start..value.span.end];
                return Err(if help { wrong.with_help(format!("write \"{written}\"")) } else { wrong });
            }
            let span = start.to(value.span);
            return Ok(Statement::SetAttr { name, attr, value, span });
        }
        if self.take("=").is_none() {
            self.at -= 1;
            return Err(self.no_statement());
        }
        let value = self.expression(Binding::Loosest)?.expr;
        let span = start.to(value.span);
        Ok(Statement::Assign { name, value, span })
    }

    /// What stands here is no statement: mostly an expression without a name.
    fn no_statement(&mut self) -> Diagnostic {
        if let Token::Mark(_) = self.peek()
            && !["(", "[", "-", "+", "~", "not", "true", "false", "True", "False"].iter().any(|mark| self.is(mark))
        {
            return self.expected("a statement, such as x = t + 1");
        }
        let Tree { expr, .. } = match self.expression(Binding::Loosest) {
            Ok(tree) => tree,
            Err(wrong) => return wrong,
        };
        match self.peek() {
            Token::Mark("=") => Diagnostic::new(expr.span, "only a name, or name.attribute, can stand before '='"),
            Token::Newline | Token::End | Token::Mark(";") => {
                Diagnostic::new(expr.span, "the result has no name").with_help("write x = ... before it")
            }
            _ => self.unfinished(),
        }
    }

    fn ident(&mut self) -> Option<Ident> {
        let Token::Name(name) = self.peek() else { return None };
        let ident = Ident { name: name.clone(), span: self.span() };
        self.advance();
        Some(ident)
    }

    fn too_deep(&self) -> Diagnostic {
        Diagnostic::new(self.span(), format!("the expression is nested more than {DEPTH_MAX} deep"))
            .with_help("split it into several statements")
    }

    fn tree(&self, kind: ExprKind, span: Span, below: usize) -> Parsed<Tree> {
        match below < DEPTH_MAX {
            true => Ok(Tree { expr: Expr { kind, span }, height: below + 1 }),
            false => Err(self.too_deep()),
        }
    }

    /// An expression whose outermost operator binds at least as tightly as `least`.
    fn expression(&mut self, least: Binding) -> Parsed<Tree> {
        if self.depth == DEPTH_MAX {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let mut left = self.prefix(least)?;
        while let Token::Mark(mark) = self.peek() {
            if let Some(op) = BinaryOp::ALL.into_iter().find(|op| op.symbol() == *mark) {
                if op.binding() < least {
                    break;
                }
                left = self.binary(left, op)?;
            } else if compare(mark).is_some() && Binding::Compare >= least {
                left = self.compare(left)?;
            } else {
                break;
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    fn binary(&mut self, left: Tree, op: BinaryOp) -> Parsed<Tree> {
        self.advance();
        // Of equals the left one comes first, but for powers.
        let least = if op == BinaryOp::Pow { Binding::Unary } else { op.binding().tighter() };
        let right = self.expression(least)?;
        let (span, below) = (left.expr.span.to(right.expr.span), left.height.max(right.height));
        self.tree(ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr)), span, below)
    }

    fn compare(&mut self, first: Tree) -> Parsed<Tree> {
        let (mut span, mut below) = (first.expr.span, first.height);
        let mut rest = Vec::new();
        while let Token::Mark(mark) = self.peek()
            && let Some(op) = compare(mark)
        {
            self.advance();
            let right = self.expression(Binding::Compare.tighter())?;
            (span, below) = (span.to(right.expr.span), below.max(right.height));
            rest.push((op, right.expr));
        }
        self.tree(ExprKind::Compare { first: Box::new(first.expr), rest }, span, below)
    }

    /// What can begin an expression: signs and `not`, and what stands without an operator before it.
    fn prefix(&mut self, least: Binding) -> Parsed<Tree> {
        let start = self.span();
        let op = UnaryOp::ALL.into_iter().find(|op| self.is(op.symbol()));
        let Some(op) = op else { return self.postfix() };
        if op == UnaryOp::Not && least > Binding::Not {
            return Err(Diagnostic::new(start, "'not' needs parentheses here").with_help("write (not x)"));
        }
        self.advance();
        let binding = if op == UnaryOp::Not { Binding::Not } else { Binding::Unary };
        let operand = self.expression(binding)?;
        let span = start.to(operand.expr.span);
        self.tree(ExprKind::Unary(op, Box::new(operand.expr)), span, operand.height)
    }

    /// A value with the fields, calls and brackets behind it.
    fn postfix(&mut self) -> Parsed<Tree> {
        let mut base = self.atom()?;
        loop {
            base = match self.peek() {
                Token::Mark(".") => self.field(base)?,
                Token::Mark("(") => self.call(base)?,
                Token::Mark("[") => self.index(base)?,
                _ => return Ok(base),
            };
        }
    }

    fn field(&mut self, base: Tree) -> Parsed<Tree> {
        self.advance();
        let name = self.ident().ok_or_else(|| self.expected("a name after '.'"))?;
        if self.is("(") {
            let wrong = Diagnostic::new(name.span, format!("'{}' is called as a method", name.name));
            return Err(wrong.with_help(match name.name.as_str() {
                "season" => "seasons of your own go in quotes, as by=\"time.season(JJAS,NDJFM)\"".to_string(),
                name => format!("write {name}(...), with the array as an argument"),
            }));
        }
        let span = base.expr.span.to(name.span);
        self.tree(ExprKind::Field(Box::new(base.expr), name), span, base.height)
    }

    fn call(&mut self, base: Tree) -> Parsed<Tree> {
        let ExprKind::Name(name) = base.expr.kind else {
            let wrong = Diagnostic::new(self.span(), "only the name of a function can stand before '('");
            return Err(wrong.with_related(base.expr.span).with_help("is a '*' missing?"));
        };
        let function = Ident { name, span: base.expr.span };
        let open = self.span();
        self.advance();
        let (mut args, mut below): (Vec<Arg>, usize) = (Vec::new(), 0);
        while !self.is(")") {
            let (arg, height) = self.arg(&args)?;
            args.push(arg);
            below = below.max(height);
            if self.take(",").is_none() {
                break;
            }
        }
        let end = self.close(open, ")")?;
        let span = function.span.to(end);
        self.tree(ExprKind::Call { function, args }, span, below)
    }

    fn arg(&mut self, before: &[Arg]) -> Parsed<(Arg, usize)> {
        let name = if *self.second() == Token::Mark("=") { self.ident() } else { None };
        let start = self.span();
        match &name {
            Some(name) => {
                self.advance();
                if before.iter().any(|arg| arg.name.as_ref().is_some_and(|n| n.name == name.name)) {
                    return Err(Diagnostic::new(name.span, format!("argument '{}' is given twice", name.name)));
                }
            }
            None => {
                if let Some(named) = before.last().and_then(|arg| arg.name.as_ref()) {
                    let wrong = Diagnostic::new(start, "an argument without a name stands behind one with a name");
                    return Err(wrong.with_related(named.span).with_help("put it first, or compare by '=='"));
                }
            }
        }
        let value = self.expression(Binding::Loosest)?;
        Ok((Arg { name, value: value.expr }, value.height))
    }

    fn index(&mut self, base: Tree) -> Parsed<Tree> {
        let open = self.span();
        self.advance();
        let (mut items, mut below) = (Vec::new(), base.height);
        while !self.is("]") {
            let (item, height) = self.item()?;
            items.push(item);
            below = below.max(height);
            if self.take(",").is_none() {
                break;
            }
        }
        let end = self.close(open, "]")?;
        if items.is_empty() {
            return Err(Diagnostic::new(open.to(end), "the brackets are empty").with_help("write a position, as t[0]"));
        }
        let span = base.expr.span.to(end);
        self.tree(ExprKind::Index { base: Box::new(base.expr), items }, span, below)
    }

    fn item(&mut self) -> Parsed<(IndexItem, usize)> {
        let start = self.span();
        let dim = if *self.second() == Token::Mark("=") { self.ident() } else { None };
        if dim.is_some() {
            self.advance();
        }
        if let Some(dots) = self.take("...") {
            return match dim {
                None => Ok((IndexItem { dim, kind: IndexKind::Ellipsis, span: dots }, 0)),
                Some(dim) => {
                    Err(Diagnostic::new(dots, format!("'...' stands for several dimensions, not for '{}'", dim.name))
                        .with_help("all of one dimension is ':'"))
                }
            };
        }
        let (mut parts, mut below, mut colons) = ([None, None, None], 0, 0);
        loop {
            if !matches!(self.peek(), Token::Mark(":" | "," | "]")) {
                let part = self.expression(Binding::Loosest)?;
                below = below.max(part.height);
                parts[colons] = Some(part.expr);
            }
            if colons == 2 || self.take(":").is_none() {
                break;
            }
            colons += 1;
        }
        let span = start.to(self.tokens[self.at.saturating_sub(1)].1);
        let kind = match (colons, parts) {
            (0, [Some(value), ..]) => IndexKind::Value(value),
            (0, _) => return Err(self.expected("a position or a range")),
            (_, [start, stop, step]) => IndexKind::Slice { start, stop, step },
        };
        Ok((IndexItem { dim, kind, span }, below))
    }

    /// The bracket that closes the one at `open`.
    fn close(&mut self, open: Span, bracket: &str) -> Parsed<Span> {
        if let Some(span) = self.take(bracket) {
            return Ok(span);
        }
        let opening = if bracket == ")" { '(' } else { '[' };
        let wrong = format!("expected ',' or '{bracket}' to close this '{opening}', found {}", self.found());
        Err(match self.peek() {
            Token::End => Diagnostic::new(open, format!("expected '{bracket}' to close this '{opening}'")),
            Token::Mark("=") => Diagnostic::new(self.span(), wrong).with_related(open).with_help("'==' compares"),
            _ => Diagnostic::new(self.span(), wrong).with_related(open),
        })
    }

    /// What stands without an operator.
    fn atom(&mut self) -> Parsed<Tree> {
        let span = self.span();
        let kind = match self.peek() {
            Token::Int(value) => ExprKind::Number(Number::Int(*value)),
            Token::Float(value) => ExprKind::Number(Number::Float(*value)),
            Token::Text(text) => ExprKind::Text(text.clone()),
            Token::Name(name) => ExprKind::Name(name.clone()),
            Token::Mark("true" | "True") => ExprKind::Bool(true),
            Token::Mark("false" | "False") => ExprKind::Bool(false),
            Token::Mark("None" | "newaxis") => ExprKind::None,
            Token::Mark("(") => return self.list_or_group(")"),
            Token::Mark("[") => return self.list_or_group("]"),
            _ => return Err(self.no_value()),
        };
        self.advance();
        self.tree(kind, span, 0)
    }

    fn no_value(&self) -> Diagnostic {
        let before = self.at.checked_sub(1).map(|k| &self.tokens[k].0);
        let Some(Token::Mark(mark)) = before else { return self.expected("a value") };
        let wrong = self.expected(format_args!("a value after '{mark}'"));
        match self.peek() {
            Token::Newline => wrong.with_help("what goes on in the next line stands in parentheses"),
            _ => wrong,
        }
    }

    /// `[a, b]`, `(a, b)`, or one expression in parentheses.
    fn list_or_group(&mut self, bracket: &str) -> Parsed<Tree> {
        let open = self.span();
        self.advance();
        let (mut items, mut below, mut commas) = (Vec::new(), 0, false);
        while !self.is(bracket) {
            let item = self.expression(Binding::Loosest)?;
            below = below.max(item.height);
            items.push(item.expr);
            if self.take(",").is_none() {
                break;
            }
            commas = true;
        }
        let span = open.to(self.close(open, bracket)?);
        match items.pop() {
            Some(one) if bracket == ")" && !commas => Ok(Tree { expr: Expr { span, ..one }, height: below }),
            last => {
                items.extend(last);
                self.tree(ExprKind::List(items), span, below)
            }
        }
    }
}

fn compare(mark: &str) -> Option<CompareOp> {
    CompareOp::ALL.into_iter().find(|op| op.symbol() == mark)
}
