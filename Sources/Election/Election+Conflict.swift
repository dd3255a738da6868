import NetworkModel

/// Two masters.
extension Election {
    /// Settles it with every peer that claims mastership. Returns when to look again.
    mutating func settleConflict(_ router: Int) -> Int {
        let rivals = rivals(router)
        var deadline = deafRivalDeadline(router)
        guard let first = rivals.first else {
            endConflict(router)
            return deadline
        }
        let winner = rivals.first { losesAgainst($0, router) }
        let rival = winner ?? first
        let isNew = routers[router].conflict == nil
        if isNew {
            routers[router].conflict = RouterElection.Conflict(rival: rival, since: now)
        } else if let old = routers[router].conflict, old.rival != rival {
            if old.isReported { report(router, old, isOver: true) }
            routers[router].conflict = RouterElection.Conflict(rival: rival, since: old.since, mute: old.mute)
        }
        routers[router].conflict?.isLosing = winner != nil
        deadline = min(deadline, reportLasting(router))
        if let winner {
            let muteWait = mute(router, before: winner)
            if let wait = [handoverWait(router), muteWait].compactMap(\.self).max() { return min(deadline, wait) }
            return min(deadline, resign(router, to: winner))
        }
        if isNew { actions.append(.suspectDaemon(routers[router].router.id)) }
        return deadline
    }

    /// Tells the neighbours where our addresses are for as long as another master has them too and shall give way: each of its frames
    /// teaches the switches on their way that the MAC, which all members share, is there. Returns when to do it again.
    ///
    /// One that hands over does so within milliseconds, and packets must not wait for its keepalived and its agent, which a busy host lets
    /// wait: they are told again and again meanwhile. After a partition many routers have two masters at once, and all of that would be
    /// flooded: once at the beginning and once at the end have to do.
    mutating func announceBeside(_ router: Int) -> Int {
        let others = routers[router].claims.indices.filter { routers[router].claims[$0].state == .master && stands(router, $0) }
        guard let first = others.first, routers[router].conflict?.isLosing != true else {
            let wasOverlapping = routers[router].overlap != nil
            routers[router].overlap = nil
            if wasOverlapping, others.isEmpty { actions.append(.announce(routers[router].router.id)) }
            return Int.max
        }
        var overlap = routers[router].overlap ?? RouterElection.Overlap(next: now)
        defer { routers[router].overlap = overlap }
        let limit = others.count == 1 && handsOver(first, router) ? settings.handoverAnnouncementLimit : 1
        guard overlap.announcements < limit else { return Int.max }
        guard now >= overlap.next else { return overlap.next }
        actions.append(.announce(routers[router].router.id))
        overlap.announcements += 1
        overlap.next = now + settings.handoverAnnouncementMilliseconds
        return overlap.announcements < limit ? overlap.next : Int.max
    }

    /// Whether a peer that is master has said that somebody else should be.
    private func handsOver(_ peer: Int, _ router: Int) -> Bool {
        let claim = routers[router].claims[peer]
        return claim.isYielding || claim.isDraining || claim.gateway == .unreachable
    }

    /// Who hands over goes on for a moment beside the successor, until when: packets that were on their way to us pass, and by leaving they may turn the
    /// switches to us once more. Each announcement of the successor is a chance for all of them to go to it, which they then do by themselves.
    private func handoverWait(_ router: Int) -> Int? {
        guard routers[router].yieldingFor != nil, let conflict = routers[router].conflict else { return nil }
        let end = conflict.since + settings.handoverOverlap(of: routers[router].router)
        return now < end ? end : nil
    }

    /// keepalived's last word, when it gives way, has our priority: it would throw down a winner of a lower one, and is kept in. Until when we wait for that,
    /// if we do.
    private mutating func mute(_ router: Int, before winner: Int) -> Int? {
        let group = routers[router].router
        let peer = group.peers[winner]
        guard (group.priority, group.localAddress) > (peer.priority, peer.address) else { return nil }
        let former = routers[router].conflict?.mute
        let mute = former.flatMap { now - $0.asked > settings.muteRenewal(of: group) ? nil : $0 } ?? RouterElection.Filter(asked: now)
        if mute != former {
            routers[router].conflict?.mute = mute
            actions.append(.mute(group.id, milliseconds: settings.muteTime(of: group)))
        }
        return wait(for: mute, group)
    }

    mutating func noteMuted(_ router: Int) {
        routers[router].conflict?.mute?.isThere = true
        touch(router)
    }

    /// Until when what a filter is for waits for it; nil when it does not any more.
    func wait(for filter: RouterElection.Filter, _ group: ElectionRouter) -> Int? {
        let end = filter.asked + settings.filterPatience(of: group)
        return filter.isThere || now >= end ? nil : end
    }

    /// Whether a rival's claim is better than ours.
    private func losesAgainst(_ rival: Int, _ router: Int) -> Bool {
        // One that does not hear us cannot give way.
        if routers[router].yieldingFor != nil || isDeaf(router, rival) { return true }
        let own = candidacy(router)
        let other = candidacy(router, rival)
        if own.isDraining != other.isDraining {
            return own.isDraining ? own.gateway.rank >= other.gateway.rank : own.gateway.rank > other.gateway.rank
        }
        switch (own.gateway, other.gateway) {
        case (.unreachable, .reachable): return true
        case (.reachable, .unreachable): return false
        default: return isOutranked(router, by: rival)
        }
    }

    /// When a master that does not hear us counts as deaf; `Int.max` where there is none, or it does already.
    private func deafRivalDeadline(_ router: Int) -> Int {
        let since = routers[router].claims.indices.compactMap { peer in
            routers[router].claims[peer].state == .master ? routers[router].hosts[peer].flatMap { hosts[$0].deafSince } : nil
        }
        return since.map { $0 + settings.deafRivalMilliseconds }.filter { now < $0 }.min() ?? Int.max
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
        // The better one went while we gave way to it: the switches know its place, and our keepalived has noticed nothing.
        if conflict.isLosing { actions.append(.announce(routers[router].router.id)) }
        routers[router].conflict = nil
        routers[router].resignations = 0
        routers[router].nextResignation = nil
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
