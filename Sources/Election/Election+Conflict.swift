import NetworkModel

/// Two masters.
extension Election {
    /// Settles it with every peer that claims mastership. Returns when to look again.
    mutating func settleConflict(_ router: Int) -> Int {
        let rivals = rivals(router)
        guard let first = rivals.first else {
            endConflict(router)
            return Int.max
        }
        var deadline = Int.max
        var winner: Int?
        for rival in rivals where winner == nil {
            let (loses, until) = losesAgainst(rival, router)
            if loses { winner = rival }
            deadline = min(deadline, until)
        }
        let rival = winner ?? first
        let isNew = routers[router].conflict == nil
        if isNew {
            routers[router].conflict = RouterElection.Conflict(rival: rival, since: now)
        } else if let old = routers[router].conflict, old.rival != rival {
            if old.isReported { report(router, old, isOver: true) }
            routers[router].conflict = RouterElection.Conflict(rival: rival, since: old.since)
        }
        routers[router].conflict?.isLosing = winner != nil
        deadline = min(deadline, reportLasting(router))
        if let winner { return min(deadline, resign(router, to: winner)) }
        if isNew { actions += [.announce(routers[router].router.id), .suspectDaemon(routers[router].router.id)] }
        return deadline
    }

    /// Whether a rival's claim is better than ours; and when that may change with time alone.
    private func losesAgainst(_ rival: Int, _ router: Int) -> (Bool, Int) {
        let state = routers[router]
        let claim = state.claims[rival]
        if state.yieldingFor != nil { return (true, Int.max) }
        let own = candidacy(router)
        let other = candidacy(router, rival)
        // One that does not hear us cannot give way.
        var until = Int.max
        if let host = state.hosts[rival], hosts[host].liveness == .alive, let since = hosts[host].deafSince {
            until = since + settings.deafRivalMilliseconds
            if now >= until { return (true, Int.max) }
        }
        if own.isDraining != other.isDraining {
            let goes = own.isDraining ? own.gateway.rank >= other.gateway.rank : own.gateway.rank > other.gateway.rank
            return (goes, until)
        }
        switch (own.gateway, other.gateway) {
        case (.unreachable, .reachable): return (true, until)
        case (.reachable, .unreachable): return (false, until)
        default: break
        }
        if state.term != claim.term { return (state.term < claim.term, until) }
        if own.priority != other.priority { return (own.priority < other.priority, until) }
        return (own.address < other.address, until)
    }

    /// Makes our own keepalived backup, and takes its addresses when it does not react. Returns when to look again.
    mutating func resign(_ router: Int, to peer: Int) -> Int {
        if let next = routers[router].nextResignation, now < next { return next }
        guard routers[router].resignations < settings.resignLimit else {
            actions.append(.strip(routers[router].router.id))
            set(router, .fault)
            return Int.max
        }
        actions.append(inject(router, from: peer, priority: 255))
        routers[router].resignations += 1
        let next = now + settings.resignIntervalMilliseconds
        routers[router].nextResignation = next
        return next
    }

    private mutating func endConflict(_ router: Int) {
        guard let conflict = routers[router].conflict else { return }
        if conflict.isReported { report(router, conflict, isOver: true) }
        routers[router].conflict = nil
        routers[router].resignations = 0
        routers[router].nextResignation = nil
        // The last frames of the other may have taught switches the wrong way.
        actions.append(.announce(routers[router].router.id))
    }

    private mutating func reportLasting(_ router: Int) -> Int {
        guard let conflict = routers[router].conflict, !conflict.isReported else { return Int.max }
        let due = conflict.since + settings.conflictReportMilliseconds
        guard now >= due else { return due }
        routers[router].conflict?.isReported = true
        report(router, conflict, isOver: false)
        return Int.max
    }

    mutating func report(_ router: Int, _ conflict: RouterElection.Conflict, isOver: Bool) {
        let peers = routers[router].router.peers
        actions.append(.conflict(routers[router].router.id, with: peers[conflict.rival].hostID, isOver: isOver))
    }
}
