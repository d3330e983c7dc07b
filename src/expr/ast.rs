//! [`Program`]: what a text of `aosx calc` says, before anybody knows what its names mean.

use super::functions;
use std::ops::Range;

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

impl Span {
    /// From the first byte of this to the last byte of `other`, which comes later.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end.max(self.start) }
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Span {
        Span { start: range.start, end: range.end }
    }
}

/// The statements, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// In the order of the text; a later one may use the names of earlier ones.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `name = expression`: defines an output.
    Assign {
        /// The output.
        name: Ident,
        /// Its values.
        value: Expr,
        /// The whole statement.
        span: Span,
    },
    /// `name.attr = literal`: sets an attribute of an output; `None` takes it away.
    SetAttr {
        /// The output.
        name: Ident,
        /// The attribute.
        attr: Ident,
        /// What [`Expr::literal`] can read.
        value: Expr,
        /// The whole statement.
        span: Span,
    },
}

/// A name where only a name can stand: an output, a function, a keyword, a dimension in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The name, without backquotes.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// An expression and where it stands. Parentheses round it leave no trace but in the span.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// What an expression can be.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number; never negative, a sign is an operator.
    Number(Number),
    /// Text in quotes.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// `None`, also written `newaxis`.
    None,
    /// A variable, an input, a dimension or a constant; whoever knows the inputs decides.
    Name(String),
    /// `base.name`: a variable of an input, a part of a date.
    Field(Box<Expr>, Ident),
    /// One operand.
    Unary(UnaryOp, Box<Expr>),
    /// Two operands.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `first < a <= b`: each neighbouring pair compared, and all of it true.
    Compare {
        /// The leftmost operand.
        first: Box<Expr>,
        /// At least one operator with the operand on its right.
        rest: Vec<(CompareOp, Expr)>,
    },
    /// `function(args)`.
    Call {
        /// The function.
        function: Ident,
        /// Positional ones first.
        args: Vec<Arg>,
    },
    /// `base[items]`.
    Index {
        /// What is indexed.
        base: Box<Expr>,
        /// At least one.
        items: Vec<IndexItem>,
    },
    /// `[a, b]`, also written `(a, b)`.
    List(Vec<Expr>),
}

/// A number as it was written: whole numbers take part in type promotion otherwise than floating ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Written without point and exponent.
    Int(u64),
    /// Written with a point or an exponent; finite.
    Float(f64),
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Arg {
    /// The keyword, as in `ddof=1`.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// One place between the brackets of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexItem {
    /// The dimension, as in `t[lat=10:20]`.
    pub dim: Option<Ident>,
    /// What is taken along it.
    pub kind: IndexKind,
    /// Where it stands.
    pub span: Span,
}

/// What is taken along a dimension.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexKind {
    /// A number, a list, a mask, or `None` for a new dimension.
    Value(Expr),
    /// `start:stop:step`, each of which may be left out.
    Slice {
        /// The first position, or label.
        start: Option<Expr>,
        /// The position behind the last, or the last label.
        stop: Option<Expr>,
        /// From one position to the next.
        step: Option<Expr>,
    },
    /// `...`: all dimensions that no other item takes.
    Ellipsis,
}

/// An operator with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Positive,
    Negative,
    Invert,
    Not,
}

impl UnaryOp {
    /// Every one.
    pub const ALL: [UnaryOp; 4] = [UnaryOp::Positive, UnaryOp::Negative, UnaryOp::Invert, UnaryOp::Not];

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Positive => "+",
            UnaryOp::Negative => "-",
            UnaryOp::Invert => "~",
            UnaryOp::Not => "not",
        }
    }

    /// The function of the table that computes it.
    pub fn function(self) -> &'static str {
        match self {
            UnaryOp::Positive => "positive",
            UnaryOp::Negative => "negative",
            UnaryOp::Invert => "bitwise_invert",
            UnaryOp::Not => "logical_not",
        }
    }
}

/// An operator with two operands that is no comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    MatMul,
    Pow,
}

impl BinaryOp {
    /// Every one, those that bind loosest first.
    pub const ALL: [BinaryOp; 15] = [
        BinaryOp::Or,
        BinaryOp::And,
        BinaryOp::BitOr,
        BinaryOp::BitXor,
        BinaryOp::BitAnd,
        BinaryOp::ShiftLeft,
        BinaryOp::ShiftRight,
        BinaryOp::Add,
        BinaryOp::Subtract,
        BinaryOp::Multiply,
        BinaryOp::Divide,
        BinaryOp::FloorDivide,
        BinaryOp::Remainder,
        BinaryOp::MatMul,
        BinaryOp::Pow,
    ];

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::BitOr => "|",
            BinaryOp::BitXor => "^",
            BinaryOp::BitAnd => "&",
            BinaryOp::ShiftLeft => "<<",
            BinaryOp::ShiftRight => ">>",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::FloorDivide => "//",
            BinaryOp::Remainder => "%",
            BinaryOp::MatMul => "@",
            BinaryOp::Pow => "**",
        }
    }

    /// The function of the table that computes it.
    pub fn function(self) -> &'static str {
        match self {
            BinaryOp::Or => "logical_or",
            BinaryOp::And => "logical_and",
            BinaryOp::BitOr => "bitwise_or",
            BinaryOp::BitXor => "bitwise_xor",
            BinaryOp::BitAnd => "bitwise_and",
            BinaryOp::ShiftLeft => "bitwise_left_shift",
            BinaryOp::ShiftRight => "bitwise_right_shift",
            BinaryOp::Add => "add",
            BinaryOp::Subtract => "subtract",
            BinaryOp::Multiply => "multiply",
            BinaryOp::Divide => "divide",
            BinaryOp::FloorDivide => "floor_divide",
            BinaryOp::Remainder => "remainder",
            BinaryOp::MatMul => "matmul",
            BinaryOp::Pow => "pow",
        }
    }

    /// How tightly it binds.
    pub(super) fn binding(self) -> Binding {
        match self {
            BinaryOp::Or => Binding::Or,
            BinaryOp::And => Binding::And,
            BinaryOp::BitOr => Binding::BitOr,
            BinaryOp::BitXor => Binding::BitXor,
            BinaryOp::BitAnd => Binding::BitAnd,
            BinaryOp::ShiftLeft | BinaryOp::ShiftRight => Binding::Shift,
            BinaryOp::Add | BinaryOp::Subtract => Binding::Sum,
            BinaryOp::Pow => Binding::Pow,
            _ => Binding::Product,
        }
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl CompareOp {
    /// Every one.
    pub const ALL: [CompareOp; 6] = [
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Less,
        CompareOp::LessEqual,
        CompareOp::Greater,
        CompareOp::GreaterEqual,
    ];

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            CompareOp::Equal => "==",
            CompareOp::NotEqual => "!=",
            CompareOp::Less => "<",
            CompareOp::LessEqual => "<=",
            CompareOp::Greater => ">",
            CompareOp::GreaterEqual => ">=",
        }
    }

    /// The function of the table that computes it.
    pub fn function(self) -> &'static str {
        match self {
            CompareOp::Equal => "equal",
            CompareOp::NotEqual => "not_equal",
            CompareOp::Less => "less",
            CompareOp::LessEqual => "less_equal",
            CompareOp::Greater => "greater",
            CompareOp::GreaterEqual => "greater_equal",
        }
    }
}

/// How tightly a form holds its operands, the loosest first: Python's table.
///
/// Source: The Python Language Reference, 6.17, Operator precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Binding {
    Loosest,
    Or,
    And,
    Not,
    Compare,
    BitOr,
    BitXor,
    BitAnd,
    Shift,
    Sum,
    Product,
    Unary,
    Pow,
    Postfix,
}

impl Binding {
    /// The next tighter one.
    pub(super) fn tighter(self) -> Binding {
        match self {
            Binding::Loosest => Binding::Or,
            Binding::Or => Binding::And,
            Binding::And => Binding::Not,
            Binding::Not => Binding::Compare,
            Binding::Compare => Binding::BitOr,
            Binding::BitOr => Binding::BitXor,
            Binding::BitXor => Binding::BitAnd,
            Binding::BitAnd => Binding::Shift,
            Binding::Shift => Binding::Sum,
            Binding::Sum => Binding::Product,
            Binding::Product => Binding::Unary,
            Binding::Unary => Binding::Pow,
            Binding::Pow | Binding::Postfix => Binding::Postfix,
        }
    }
}

/// A value that needs no inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i128),
    /// A floating number, which may be a constant such as `nan`.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `None`.
    None,
    /// Several; no lists in it.
    List(Vec<Literal>),
}

impl Expr {
    /// The value, when it needs no inputs: text, a number with its signs, a constant, or a list of these.
    pub fn literal(&self) -> Option<Literal> {
        match &self.kind {
            ExprKind::List(items) => {
                let one = |item: &Expr| item.literal().filter(|l| !matches!(l, Literal::List(_)));
                items.iter().map(one).collect::<Option<Vec<Literal>>>().map(Literal::List)
            }
            ExprKind::Text(text) => Some(Literal::Text(text.clone())),
            ExprKind::Bool(value) => Some(Literal::Bool(*value)),
            ExprKind::None => Some(Literal::None),
            ExprKind::Number(Number::Int(value)) => Some(Literal::Int(i128::from(*value))),
            ExprKind::Number(Number::Float(value)) => Some(Literal::Float(*value)),
            ExprKind::Name(name) => functions::constant(name).map(Literal::Float),
            ExprKind::Unary(UnaryOp::Negative, operand) => match operand.literal()? {
                Literal::Int(value) => Some(Literal::Int(-value)),
                Literal::Float(value) => Some(Literal::Float(-value)),
                _ => None,
            },
            ExprKind::Unary(UnaryOp::Positive, operand) => {
                operand.literal().filter(|l| matches!(l, Literal::Int(_) | Literal::Float(_)))
            }
            _ => None,
        }
    }
}
