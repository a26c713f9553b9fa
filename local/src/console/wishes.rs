//! Refunds that were shown and wait to be confirmed.

use shared::domain::Fen;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How many may wait to be confirmed; the oldest is forgotten.
const WAITING: usize = 64;

/// A refund that waits to be confirmed.
#[derive(Clone)]
pub struct Wish {
    /// The order.
    pub out_trade_no: String,
    /// What is to go back.
    pub amount: Fen,
    /// What was left of the order when it was shown.
    pub left: Fen,
    /// Why, as it was typed.
    pub reason: Option<String>,
    /// The refund's number, made up with the wish.
    pub out_refund_no: String,
}

/// The refunds that wait to be confirmed, by their tokens.
#[derive(Default)]
pub struct Wishes(Mutex<VecDeque<(String, Wish)>>);

impl Wishes {
    /// Keeps one; answers its token.
    pub fn keep(&self, wish: Wish) -> String {
        let token = hex::encode(shared::crypto::random::<16>());
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING {
            waiting.pop_front();
        }
        waiting.push_back((token.clone(), wish));
        token
    }

    /// One by its token.
    pub fn look(&self, token: &str) -> Option<Wish> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().find(|(own, _)| own == token).map(|(_, wish)| wish.clone())
    }

    /// Takes it out: the first who asks has it.
    pub fn take(&self, token: &str) -> Option<Wish> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|(own, _)| own == token)?;
        waiting.remove(at).map(|(_, wish)| wish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_counts_once_and_the_oldest_is_forgotten() {
        let wishes = Wishes::default();
        let wish = |n: usize| Wish {
            out_trade_no: format!("NO{n}"),
            amount: Fen(1),
            left: Fen(2),
            reason: None,
            out_refund_no: format!("R{n}"),
        };
        let token = wishes.keep(wish(0));
        assert!(wishes.look(&token).is_some() && wishes.take(&token).is_some());
        assert!(wishes.look(&token).is_none() && wishes.take(&token).is_none());
        let tokens: Vec<String> = (0..=WAITING).map(|n| wishes.keep(wish(n))).collect();
        assert!(wishes.look(&tokens[0]).is_none());
        assert!(tokens[1..].iter().all(|token| wishes.look(token).is_some()));
    }
}
