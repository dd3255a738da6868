import NetworkModel

/// What happens on our own host, and the look at one router.
extension Election {
    // MARK: - Events

    mutating func noteMember(_ router: Int, _ state: MemberState) {
        guard state != .unknown, state != .headless else { return }
        if state == .backup { routers[router].awaitsDaemon = false }
        // What looks like mastership before that: the last words of the keepalived that ended, and the addresses that it left.
        if state == .master, routers[router].awaitsDaemon { return }
        set(router, state)
    }

    mutating func noteDaemonEnded(_ router: Int) {
        routers[router].awaitsDaemon = true
        if routers[router].own == .master {
            routers[router].headlessSince = now
            routers[router].isRestarting = false
            set(router, .headless)
        } else if routers[router].own != .headless {
            actions.append(.restartDaemon(routers[router].router.id))
            set(router, .fault)
        }
    }

    mutating func note(_ reachability: Reachability, of key: String) {
        guard gateways[key] ?? .unknown != reachability else { return }
        gateways[key] = reachability
        for router in routers.indices where routers[router].router.gatewayKey == key { changed(router) }
    }

    mutating func noteCarrier(_ isUp: Bool) {
        guard isUp != isCarrierUp else { return }
        isCarrierUp = isUp
        carrierSince = isUp ? now : nil
        for router in routers.indices {
            routers[router].nextHold = nil
            touch(router)
        }
    }

    /// Every change of our own state passes here.
    mutating func set(_ router: Int, _ state: MemberState) {
        let former = routers[router].own
        guard former != state else { return }
        routers[router].own = state
        routers[router].resignations = 0
        routers[router].nextResignation = nil
        routers[router].vacancy = nil
        routers[router].isTaking = false
        if state == .master { finishTurn(router) }
        endTurn(router)
        routers[router].silence = nil
        // One that was master, or that lost against one, knows whom it has to hear.
        routers[router].backupSince = state == .backup && former != .master ? now : nil
        if former == .master { endMastership(router, next: state) }
        if state == .master { beginMastership(router, former: former) }
        changed(router)
    }

    private mutating func beginMastership(_ router: Int, former: MemberState) {
        // Found at our start, or taken although somebody has a good claim: no claim of ours before we know better (`adoptTerm`).
        let isLegitimate = former != .unknown && rivals(router).isEmpty
        routers[router].term = isLegitimate ? routers[router].nextTerm : 0
        routers[router].highestTerm = max(routers[router].highestTerm, routers[router].term)
        routers[router].isRestarting = false
        routers[router].overlap = nil
        let givesForGateway = routers[router].claims.indices.contains {
            let claim = routers[router].claims[$0]
            return claim.state == .master && claim.isYielding && !claim.isDraining && stands(router, $0)
        }
        if givesForGateway { noteGatewayHandover(router) }
        if isLegitimate { routers[router].lastMaster = nil }
    }

    private mutating func endMastership(_ router: Int, next: MemberState) {
        let wasYielding = routers[router].yieldingFor != nil
        endYielding(router)
        routers[router].term = 0
        routers[router].overlap = nil
        guard let conflict = routers[router].conflict else { return }
        if conflict.isReported { report(router, conflict, isOver: true) }
        routers[router].conflict = nil
        // Where we lost and its advertisements do not come, VRRP would make us master again.
        if next == .backup, !wasYielding, conflict.isLosing, rivals(router).contains(conflict.rival) {
            beginRelay(router, of: conflict.rival, first: now + settings.relayInterval(of: routers[router].router))
        }
    }

    // MARK: - The look

    /// Applies the rules to one router. Returns when it must be looked at again; `Int.max` for when something happens.
    mutating func evaluate(_ router: Int) -> Int {
        defer { settleListening(router) }
        routers[router].isHearing = false
        if isHeld(router) { return hold(router) }
        if routers[router].backupSince == nil { routers[router].nextHold = nil }
        var deadline = Int.max
        switch routers[router].own {
        case .master:
            adoptTerm(router)
            deadline = min(deadline, settleConflict(router))
            // Who lost for good in this look has addresses no more.
            if routers[router].own == .master { deadline = min(deadline, announceBeside(router)) }
            if routers[router].own == .master, routers[router].conflict == nil { deadline = min(deadline, offer(router)) }
        case .headless: deadline = min(deadline, replace(router))
        case .backup:
            deadline = min(deadline, settleBeginning(router))
            deadline = min(deadline, relay(router))
            deadline = min(deadline, candidate(router))
        case .unknown, .fault: break
        }
        if routers[router].own != .backup {
            endRelay(router)
            routers[router].awaitsMoment = false
        }
        return deadline
    }

    /// A claim without a term gets one when all living peers have spoken and none claims.
    private mutating func adoptTerm(_ router: Int) {
        guard routers[router].term == 0 else { return }
        for (peer, host) in routers[router].hosts.enumerated() {
            switch liveness(router, peer) {
            case .alive:
                guard let host, hosts[host].isCurrent, routers[router].claims[peer].isTold,
                    !routers[router].claims[peer].isMastership
                else { return }
            case .unknown: if host != nil { return }
            case .absent: break
            case .dead: if rivals(router).contains(peer) { return }
            }
        }
        routers[router].term = routers[router].nextTerm
        routers[router].highestTerm = routers[router].term
        routers[router].lastMaster = nil
        changed(router)
    }

    /// Keeps a member that is cut off from being master.
    private mutating func hold(_ router: Int) -> Int {
        routers[router].vacancy = nil
        stopTaking(router)
        routers[router].awaitsMoment = false
        endRelay(router)
        let ends = [carrierSince.map { $0 + settings.holdAfterCarrierMilliseconds }, isolatedUntil ?? isolationAftermath]
        // The carrier may have come back long before what holds us now.
        var deadline = ends.compactMap(\.self).filter { now < $0 }.min() ?? Int.max
        switch routers[router].own {
        case .master: deadline = min(deadline, resign(router, to: 0))
        case .headless:
            actions += [.strip(routers[router].router.id), .restartDaemon(routers[router].router.id)]
            set(router, .fault)
        case .backup:
            if now >= routers[router].nextHold ?? now {
                actions.append(inject(router, from: 0, priority: 255))
                routers[router].nextHold = now + settings.holdInterval(of: routers[router].router)
            }
            deadline = min(deadline, routers[router].nextHold ?? Int.max)
        case .fault, .unknown: break
        }
        return deadline
    }

    /// keepalived ended while it was master.
    private mutating func replace(_ router: Int) -> Int {
        let id = routers[router].router.id
        if !rivals(router).isEmpty {
            actions.append(.strip(id))
            if !routers[router].isRestarting { actions.append(.restartDaemon(id)) }
            set(router, .fault)
            return Int.max
        }
        guard !routers[router].isRestarting else { return Int.max }
        let hasSuccessor = routers[router].claims.indices.contains { isCandidate(router, $0) }
        let deadline = routers[router].headlessSince + settings.headlessMilliseconds
        if hasSuccessor && now < deadline { return deadline }
        routers[router].isRestarting = true
        actions.append(.restartDaemon(id))
        return Int.max
    }
}
