//! The rules of tic-tac-toe. They know of no players and no network.

use serde::Serialize;

/// Whose a cell, or a turn, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(crate) enum Mark {
    X,
    O,
}

impl Mark {
    pub(crate) const BOTH: [Self; 2] = [Self::X, Self::O];

    pub(crate) fn other(self) -> Self {
        match self {
            Self::X => Self::O,
            Self::O => Self::X,
        }
    }
}

/// Three cells in a row. Cells are counted from the top left, row by row.
pub(crate) type Line = [usize; 3];

const LINES: [Line; 8] = [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 8],
    [0, 3, 6],
    [1, 4, 7],
    [2, 5, 8],
    [0, 4, 8],
    [2, 4, 6],
];

/// Nine cells, and who began.
#[derive(Debug)]
pub(crate) struct Board {
    first: Mark,
    cells: [Option<Mark>; 9],
}

/// How a game ended on the board.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// The last move may have completed two lines.
    Won {
        by: Mark,
        lines: Vec<Line>,
    },
    Draw,
}

/// Why a move is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Illegal {
    Over,
    NotYourTurn,
    NoSuchCell,
    Taken,
}

impl Board {
    pub(crate) fn new(first: Mark) -> Self {
        let cells = [None; 9];
        Self { first, cells }
    }

    pub(crate) fn cells(&self) -> &[Option<Mark>; 9] {
        &self.cells
    }

    pub(crate) fn first(&self) -> Mark {
        self.first
    }

    /// Whose turn it is; nobody's when the game is over.
    pub(crate) fn turn(&self) -> Option<Mark> {
        if self.end().is_some() {
            return None;
        }
        let moves = self.cells.iter().flatten().count();
        let first = moves.is_multiple_of(2);
        Some(if first { self.first } else { self.first.other() })
    }

    pub(crate) fn end(&self) -> Option<End> {
        let lines = |mark| -> Vec<Line> {
            let full = |line: &Line| line.iter().all(|&cell| self.cells[cell] == Some(mark));
            LINES.into_iter().filter(full).collect()
        };
        for by in Mark::BOTH {
            let lines = lines(by);
            if !lines.is_empty() {
                return Some(End::Won { by, lines });
            }
        }
        self.cells.iter().all(Option::is_some).then_some(End::Draw)
    }

    pub(crate) fn play(&mut self, mark: Mark, cell: usize) -> Result<(), Illegal> {
        match self.turn() {
            None => return Err(Illegal::Over),
            Some(turn) if turn != mark => return Err(Illegal::NotYourTurn),
            Some(_) => {}
        }
        match self.cells.get_mut(cell) {
            None => Err(Illegal::NoSuchCell),
            Some(Some(_)) => Err(Illegal::Taken),
            Some(free) => {
                *free = Some(mark);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Mark::*, *};

    /// The board after these moves, in turns.
    fn board(first: Mark, moves: &[usize]) -> Board {
        let mut board = Board::new(first);
        for &cell in moves {
            let turn = board.turn().expect("the game goes on");
            board.play(turn, cell).expect("a legal move");
        }
        board
    }

    #[test]
    fn players_take_turns_and_either_may_begin() {
        for first in Mark::BOTH {
            assert_eq!(board(first, &[]).turn(), Some(first));
            assert_eq!(board(first, &[4]).turn(), Some(first.other()));
            assert_eq!(board(first, &[4, 0]).turn(), Some(first));
        }
        assert_eq!(board(O, &[4]).cells()[4], Some(O));
    }

    #[test]
    fn an_illegal_move_changes_nothing() {
        let mut board = board(X, &[4]);
        assert_eq!(board.play(X, 0), Err(Illegal::NotYourTurn));
        assert_eq!(board.play(O, 4), Err(Illegal::Taken));
        assert_eq!(board.play(O, 9), Err(Illegal::NoSuchCell));
        assert_eq!(board.play(O, usize::MAX), Err(Illegal::NoSuchCell));
        assert_eq!((board.turn(), board.cells().iter().flatten().count()), (Some(O), 1));
    }

    #[test]
    fn each_of_the_eight_lines_wins_and_ends_the_game() {
        for line in LINES {
            for by in Mark::BOTH {
                let mut board = Board::new(X);
                for cell in line {
                    board.cells[cell] = Some(by);
                }
                let lines = vec![line];
                assert_eq!(board.end(), Some(End::Won { by, lines }));
                assert_eq!(board.turn(), None);
                let free = board.cells.iter().position(Option::is_none).expect("six are free");
                assert_eq!(board.play(by.other(), free), Err(Illegal::Over));
            }
        }
    }

    #[test]
    fn one_move_may_complete_two_lines() {
        let both = board(X, &[0, 3, 1, 4, 8, 6, 5, 7, 2]);
        let lines = vec![[0, 1, 2], [2, 5, 8]];
        assert_eq!(both.end(), Some(End::Won { by: X, lines }));
    }

    #[test]
    fn a_full_board_without_a_line_is_a_draw() {
        let draw = board(O, &[0, 1, 2, 4, 3, 5, 7, 6, 8]);
        assert_eq!(draw.end(), Some(End::Draw));
        assert_eq!(draw.turn(), None);
    }

    #[test]
    fn all_games_reach_the_positions_that_there_are() {
        fn visit(board: &Board, seen: &mut HashSet<[Option<Mark>; 9]>, ends: &mut [u32; 3]) {
            if !seen.insert(board.cells) {
                return;
            }
            match board.end() {
                Some(End::Won { by: X, .. }) => ends[0] += 1,
                Some(End::Won { by: O, .. }) => ends[1] += 1,
                Some(End::Draw) => ends[2] += 1,
                None => {
                    let turn = board.turn().expect("the game goes on");
                    for cell in 0..9 {
                        let (first, cells) = (board.first, board.cells);
                        let mut next = Board { first, cells };
                        if next.play(turn, cell).is_ok() {
                            visit(&next, seen, ends);
                        }
                    }
                }
            }
        }
        let (mut seen, mut ends) = (HashSet::new(), [0; 3]);
        visit(&Board::new(X), &mut seen, &mut ends);
        // The well-known numbers: of positions, and of those in which X has won, O has won, nobody has.
        assert_eq!((seen.len(), ends), (5478, [626, 316, 16]));
    }
}
