/// Taking over a few routers at a time.
///
/// When a host dies with 200 masters, a survivor could tell all of its backups at once. So many keepaliveds then want the kernel's one lock for links,
/// addresses and routes (RTNL), which they get by turns, for an address each: the first router is whole hardly before the last. One behind the other all
/// of them need as long, and each half of it on the average.
///
/// Only what our own keepaliveds are told is paced. That we take the office peers hear at once, and one whose time is over makes room for the next
/// without being given up: it is told again as ever (`ElectionSettings.attemptInterval`).
extension Election {
    /// Whether a router may be taken over now. If not, it waits in line, and is looked at when its turn has come.
    mutating func hasTurn(_ router: Int) -> Bool {
        switch routers[router].turn {
        case .now: return true
        case .awaited: return false
        case .none:
            guard waitingForTurn.isEmpty, turnCount < settings.takeoverLimit, now >= nextTurn else {
                routers[router].turn = .awaited
                waitingForTurn.append(router)
                return false
            }
            beginTurn(router)
            return true
        }
    }

    /// It is master, is not to be taken over any more, or has had its time.
    mutating func endTurn(_ router: Int) {
        if case .now = routers[router].turn { turnCount -= 1 }
        routers[router].turn = .none
    }

    /// Gives the places that are free to those that wait.
    mutating func callNext() {
        while let next = waitingForTurn.first, turnCount < settings.takeoverLimit, now >= nextTurn {
            waitingForTurn.removeFirst()
            // It may have left the line meanwhile.
            guard routers[next].turn == .awaited else { continue }
            beginTurn(next)
            touch(next)
        }
    }

    /// When the first in line can have its turn; nil while there is no place for it.
    var turnDeadline: Int? { waitingForTurn.isEmpty || turnCount >= settings.takeoverLimit ? nil : nextTurn }

    /// After the routers' positions changed. Who waited gets in line anew.
    mutating func recountTurns() {
        waitingForTurn = []
        turnCount = 0
        for router in routers.indices {
            switch routers[router].turn {
            case .now: turnCount += 1
            case .awaited: routers[router].turn = .none
            case .none: break
            }
        }
    }

    private mutating func beginTurn(_ router: Int) {
        routers[router].turn = .now(until: now + settings.takeoverTurn(of: routers[router].router))
        turnCount += 1
        nextTurn = now + settings.takeoverSpacing
    }
}
