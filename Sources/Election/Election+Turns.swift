/// Taking over a few routers at a time.
///
/// When a host dies with 200 masters, a survivor could tell all of its backups at once. So many keepaliveds then want the kernel's one lock for links,
/// addresses and routes (RTNL), which they get by turns, for an address each: the first router is whole hardly before the last. One behind the other all
/// of them need as long, and each half of it on the average.
///
/// How many go at a time follows what is seen of the kernel: each keepalived waits for its skew first (RFC 5798, section 6.1), so that a fast kernel would be idle for
/// most of the time with as many as keep a slow one busy.
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
            guard waitingForTurn.isEmpty, hasFreeTurn, now >= nextTurn else {
                routers[router].turn = .awaited
                waitingForTurn.append(router)
                return false
            }
            beginTurn(router)
            return true
        }
    }

    /// It is master, or has had its time: what its keepalived took beyond its skew tells how busy the kernel is, and so how many may have their turn at a time.
    mutating func finishTurn(_ router: Int) {
        guard let end = routers[router].turn.end, settings.takeoverLimit < .max else { return }
        let delay = now - (end - settings.takeoverTurnMilliseconds)
        let window = turnWindow ?? settings.takeoverLimit
        if delay < settings.shortTakeoverMilliseconds {
            turnWindow = min(window + 1, settings.takeoverLimit * settings.takeoverGrowth)
        } else if delay > settings.longTakeoverMilliseconds {
            turnWindow = max(window - 1, settings.takeoverLimit)
        }
    }

    /// It is master, is not to be taken over any more, or has had its time.
    mutating func endTurn(_ router: Int) {
        if case .now = routers[router].turn { turnCount -= 1 }
        routers[router].turn = .none
        // The next host to die finds another kernel.
        if turnCount == 0, waitingForTurn.isEmpty { turnWindow = nil }
    }

    /// Gives the places that are free to those that wait.
    mutating func callNext() {
        while let next = waitingForTurn.first, hasFreeTurn, now >= nextTurn {
            waitingForTurn.removeFirst()
            // It may have left the line meanwhile.
            guard routers[next].turn == .awaited else { continue }
            beginTurn(next)
            touch(next)
        }
    }

    /// When the first in line can have its turn; nil while there is no place for it.
    var turnDeadline: Int? { waitingForTurn.isEmpty || !hasFreeTurn ? nil : nextTurn }

    private var hasFreeTurn: Bool { turnCount < (turnWindow ?? settings.takeoverLimit) }

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
        turnsOfThisMoment = now == lastTurn ? turnsOfThisMoment + 1 : 1
        lastTurn = now
        let burst = (turnWindow ?? settings.takeoverLimit) / max(settings.takeoverLimit, 1)
        if turnsOfThisMoment >= burst { nextTurn = now + settings.takeoverSpacing }
    }
}
