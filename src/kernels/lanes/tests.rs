//! Functions along an axis against their definition and against NumPy.
