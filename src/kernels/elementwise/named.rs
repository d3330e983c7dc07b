//! `operations!`: an enum of operations with their names, said once.

/// Declares an enum with `ALL`, `name` and `from_name`: `Variant = "name" | "alias", "what it gives";`.
macro_rules! operations {
    ($(#[$meta:meta])* $Enum:ident {
        $($Variant:ident = $name:literal $(| $alias:literal)*, $doc:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $Enum {
            $(#[doc = $doc] $Variant,)*
        }

        impl $Enum {
            /// Every operation there is.
            pub const ALL: &[$Enum] = &[$($Enum::$Variant),*];

            /// Its name in the Python array API standard, or NumPy's where the standard has none.
            pub const fn name(self) -> &'static str {
                match self {
                    $($Enum::$Variant => $name,)*
                }
            }

            /// The operation of that name; NumPy's other names (`arcsin`, `power`, `invert`) are known as well.
            pub fn from_name(name: &str) -> Option<$Enum> {
                match name {
                    $($name $(| $alias)* => Some($Enum::$Variant),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
