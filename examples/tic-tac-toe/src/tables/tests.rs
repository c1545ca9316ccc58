use super::{
    Mark::{O, X},
    *,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Ada as X and Ben as O, at one table.
struct Two {
    tables: Tables,
    ada: Sid,
    ben: Sid,
    token: String,
    table: u32,
    now: Instant,
}

fn two() -> Two {
    let mut tables = Tables::new(PATIENCE);
    let (ada, ben) = (Sid::random(), Sid::random());
    let Seated { table, token, .. } = tables.create(&ada, "Ada").unwrap();
    tables.join(&ben, table, "Ben").unwrap();
    let now = Instant::now();
    Two {
        tables,
        ada,
        ben,
        token,
        table,
        now,
    }
}

impl Two {
    /// X completes the upper row.
    fn play_to_the_end(&mut self) {
        for (round, cell) in [0, 3, 1, 4, 2].into_iter().enumerate() {
            let id = if round % 2 == 0 { &self.ada } else { &self.ben };
            self.tables.play(id, self.table, cell).unwrap();
        }
    }

    fn stage(&self) -> Stage {
        self.tables.by_number[&self.table].stage()
    }

    fn turn(&self) -> Option<Mark> {
        self.tables.by_number[&self.table].turn()
    }
}

fn why<T: std::fmt::Debug>(result: Result<T, Refused>) -> String {
    result.unwrap_err().0
}

#[test]
fn two_sit_down_and_a_third_may_watch() {
    let Two {
        mut tables,
        ada,
        ben,
        table,
        ..
    } = two();
    let eve = Sid::random();
    let full = "Somebody was faster: this table has two players.";
    assert_eq!(why(tables.join(&eve, table, "Eve")), full);
    tables.watch(&eve, table).unwrap();
    assert_eq!(tables.place(&ada), Some(Place { table, mark: Some(X) }));
    assert_eq!(tables.place(&ben), Some(Place { table, mark: Some(O) }));
    assert_eq!(tables.place(&eve), Some(Place { table, mark: None }));
    for id in [&ada, &eve] {
        assert_eq!(why(tables.create(id, "Me")), "Leave your table first.");
        assert_eq!(why(tables.watch(id, table)), "Leave your table first.");
    }
    assert_eq!(why(tables.watch(&Sid::random(), table + 1)), "This table is gone.");
}

#[test]
fn moves_are_made_in_turn_at_ones_own_table() {
    let Two {
        mut tables,
        ada,
        ben,
        table,
        ..
    } = two();
    assert_eq!(why(tables.play(&ben, table, 0)), "It is not your turn.");
    assert_eq!(why(tables.play(&ada, table + 1, 0)), "You do not play at this table.");
    assert_eq!(why(tables.play(&ada, table, 9)), "The board has nine cells, 0 to 8.");
    tables.play(&ada, table, 0).unwrap();
    assert_eq!(why(tables.play(&ada, table, 1)), "It is not your turn.");
    assert_eq!(why(tables.play(&ben, table, 0)), "This cell is taken.");

    let eve = Sid::random();
    tables.watch(&eve, table).unwrap();
    assert_eq!(why(tables.play(&eve, table, 1)), "You do not play at this table.");
    tables.leave(&eve, Gone::Left, Instant::now());
    let own = tables.create(&eve, "Eve").unwrap().table;
    assert_eq!(why(tables.play(&eve, own, 0)), "Nobody plays against you yet.");
}

#[test]
fn a_rematch_begins_when_both_want_it_and_the_other_begins() {
    let mut two = two();
    assert_eq!(why(two.tables.rematch(&two.ada, two.table)), "There is no rematch now.");
    two.play_to_the_end();
    assert_eq!(two.stage(), Stage::Over);
    for _ in 0..2 {
        two.tables.rematch(&two.ada, two.table).unwrap();
        assert_eq!(two.stage(), Stage::Over);
    }
    two.tables.rematch(&two.ben, two.table).unwrap();
    assert_eq!((two.stage(), two.turn()), (Stage::Playing, Some(O)));
}

#[test]
fn who_is_away_for_too_long_loses_and_not_sooner() {
    for how in [Gone::Left, Gone::Lost] {
        let mut two = two();
        two.tables.play(&two.ada, two.table, 0).unwrap();
        assert_eq!(
            two.tables.leave(&two.ada, how, two.now),
            Some((two.table, Some(PATIENCE)))
        );
        assert_eq!(two.tables.next_deadline(), Some(two.now + PATIENCE));
        assert!(
            two.tables
                .expire(two.now + PATIENCE - Duration::from_millis(1))
                .is_empty()
        );
        assert_eq!((two.stage(), two.turn()), (Stage::Playing, Some(O)));

        assert_eq!(two.tables.expire(two.now + PATIENCE), [two.table]);
        let end = two.tables.by_number[&two.table].end().unwrap();
        assert_eq!((end.winner, end.walkover), (Some(O), true));
        assert_eq!(why(two.tables.play(&two.ben, two.table, 1)), "The game is over.");
        let late = "You were away for too long, and your seat is gone.";
        assert_eq!(why(two.tables.back(&two.ada, &two.token, true)), late);
        assert!(!two.tables.has_rematch(two.table));
        assert_eq!(two.tables.next_deadline(), None);
    }
}

#[test]
fn who_comes_back_in_time_goes_on() {
    let mut two = two();
    two.tables.leave(&two.ada, Gone::Lost, two.now);
    let again = Sid::random();
    assert_eq!(
        why(two.tables.back(&again, "a guess", true)),
        "You were away for too long, and your seat is gone."
    );
    let (seated, before) = two.tables.back(&again, &two.token, false).unwrap().unwrap();
    assert_eq!((seated.table, seated.mark, before), (two.table, X, None));
    assert!(two.tables.expire(two.now + 2 * PATIENCE).is_empty());
    two.tables.play(&again, two.table, 4).unwrap();
}

#[test]
fn a_seat_in_use_is_taken_over_only_if_one_says_so() {
    let mut two = two();
    let tab = Sid::random();
    assert!(two.tables.back(&tab, &two.token, false).unwrap().is_none());
    assert_eq!(two.tables.place(&two.ada).map(|place| place.mark), Some(Some(X)));
    let (_, before) = two.tables.back(&tab, &two.token, true).unwrap().unwrap();
    assert_eq!(before, Some(two.ada.clone()));
    assert_eq!(two.tables.place(&two.ada), None);
    assert_eq!(two.tables.leave(&two.ada, Gone::Lost, two.now), None);
    assert_eq!(two.tables.players(two.table).next(), Some((X, &tab)));
}

#[test]
fn a_table_goes_with_its_last_player() {
    let mut two = two();
    let eve = Sid::random();
    two.tables.watch(&eve, two.table).unwrap();
    two.play_to_the_end();
    assert_eq!(two.tables.leave(&two.ada, Gone::Left, two.now), Some((two.table, None)));
    assert!(two.tables.clear(two.table).is_empty());
    assert!(!two.tables.has_rematch(two.table));
    two.tables.leave(&two.ben, Gone::Lost, two.now);
    assert!(two.tables.clear(two.table).is_empty());
    assert_eq!(two.tables.expire(two.now + PATIENCE), [two.table]);
    assert_eq!(two.tables.clear(two.table), [eve]);
    assert!(two.tables.list().is_empty());
}

#[test]
fn an_open_table_outlives_a_reload_but_not_its_players_leaving() {
    let mut tables = Tables::new(PATIENCE);
    let (ada, now) = (Sid::random(), Instant::now());
    let Seated { table, token, .. } = tables.create(&ada, "Ada").unwrap();
    tables.leave(&ada, Gone::Lost, now);
    tables.clear(table);
    let again = Sid::random();
    tables.back(&again, &token, false).unwrap();
    assert_eq!(tables.list()[0].stage, Stage::Open);
    tables.leave(&again, Gone::Left, now);
    tables.clear(table);
    assert!(tables.list().is_empty());
}

#[test]
fn names_tables_and_spectators_are_bounded() {
    let mut tables = Tables::new(PATIENCE);
    let id = Sid::random();
    for name in ["", " \n", &"x".repeat(21)] {
        assert_eq!(why(tables.create(&id, name)), "A name has 1 to 20 characters.");
    }
    let letters = "A name has letters, digits, spaces and . _ - ' only.";
    assert_eq!(why(tables.create(&id, "<b>")), letters);
    let table = tables.create(&id, "  Zoë \t O'Neil ").unwrap().table;
    assert_eq!(tables.list()[0].names, [Some("Zoë O'Neil"), None]);

    for _ in 0..MAX_WATCHERS {
        tables.watch(&Sid::random(), table).unwrap();
    }
    assert_eq!(
        why(tables.watch(&Sid::random(), table)),
        "This table has too many spectators."
    );
    for _ in 1..MAX_TABLES {
        tables.create(&Sid::random(), "x").unwrap();
    }
    let all = "All tables are taken. Watch a game until one is free.";
    assert_eq!(why(tables.create(&Sid::random(), "x")), all);
}
