//! What takes many sockets. Here with a few of them; `make soak` has thousands.

mod goodbye;
