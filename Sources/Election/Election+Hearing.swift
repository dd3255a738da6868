import Addressing

/// Whether a backup hears others on the HA network, where that is not known and matters.
extension Election {
    /// Watches a member that has just begun to be backup: what it hears in its first moments decides whether VRRP lets it take over. Returns
    /// when to look again.
    ///
    ///     begins ──▶ listens ──── a real advertisement ───────────────────────────────▶ (VRRP has what it needs)
    ///                   │
    ///                   │ silence          ┌─ a living peer is master ──▶ relay, for 20 intervals
    ///                   └──────────────────┤
    ///                                      └─ a host lives whose agent has not spoken: it may be master
    ///                                            ──▶ tell our keepalived that it is, for 6 intervals
    mutating func settleBeginning(_ router: Int) -> Int {
        guard let since = routers[router].backupSince, !routers[router].hosts.isEmpty else { return Int.max }
        let group = routers[router].router
        let listens = since + settings.settleTime(of: group)
        guard now >= listens else { return listens }
        routers[router].isHearing = true
        let due = listens + settings.beginningSilence(of: group)
        guard now >= due else { return due }
        if let master = rivals(router).first {
            routers[router].backupSince = nil
            let end = now + settings.beginningRelayIntervals * group.advertisementIntervalMilliseconds
            beginRelay(router, of: master, first: now, until: end)
            return Int.max
        }
        let end = since + settings.beginningHoldIntervals * group.advertisementIntervalMilliseconds
        guard now < end else {
            routers[router].backupSince = nil
            routers[router].isHearing = false
            return Int.max
        }
        guard let peer = silentPeer(router), vacancy(router) == nil else { return end }
        let next = routers[router].nextHold ?? now
        guard now >= next else { return min(next, end) }
        actions.append(inject(router, from: peer, priority: group.peers[peer].priority))
        routers[router].nextHold = now + settings.relayInterval(of: group)
        return min(now + settings.relayInterval(of: group), end)
    }

    /// A peer that may be master as far as we know: its host lives, and its agent has not said.
    private func silentPeer(_ router: Int) -> Int? {
        routers[router].hosts.indices.first { peer in
            guard routers[router].hosts[peer] != nil else { return false }
            switch liveness(router, peer) {
            case .absent, .unknown: return true
            case .dead: return voucher(router, peer) != .none
            case .alive: return false
            }
        }
    }

    /// Whether a peer counts as dead of which we never had a sign: it may be only that pulses and echo requests do not get through.
    func hasStranger(_ router: Int) -> Bool {
        routers[router].hosts.contains { $0.map { hosts[$0].liveness == .dead && !hosts[$0].wasHeard } ?? false }
    }

    /// Until when a member listens before it takes an office that nobody has, beside a stranger; nil while VRRP decides since somebody advertises.
    mutating func silenceBesideStranger(_ router: Int) -> Int? {
        let group = routers[router].router
        let since = routers[router].silence?.since ?? routers[router].backupSince.map { $0 + settings.settleTime(of: group) } ?? now
        let isBroken = routers[router].silence?.isBroken ?? false
        routers[router].silence = RouterElection.Silence(since: since, isBroken: isBroken)
        if isBroken { return nil }
        let end = since + settings.strangerSilence(of: group)
        if now < end { routers[router].isHearing = true }
        return end
    }

    mutating func noteAdvertisement(_ router: Int, from source: IPAddress?) {
        let state = routers[router]
        func isFrom(_ peer: Int) -> Bool { source == nil || source == state.router.peers[peer].address }
        if state.awaitsMoment, case .yielding(let master) = state.vacancy, isFrom(master) {
            routers[router].isMomentGood = true
            touch(router)
        }
        if let relay = state.relay, isFrom(relay.peer) {
            routers[router].isMasterHeard = true
            endRelay(router)
            touch(router)
        }
        if state.isHearing {
            routers[router].backupSince = nil
            routers[router].silence?.isBroken = true
            touch(router)
        }
    }

    /// Listens exactly while a real advertisement would change what we do.
    mutating func settleListening(_ router: Int) {
        let state = routers[router]
        let listens = state.relay != nil || state.awaitsMoment || state.isHearing
        guard listens != state.isListening else { return }
        routers[router].isListening = listens
        actions.append(.listen(state.router.id, listens))
    }
}
