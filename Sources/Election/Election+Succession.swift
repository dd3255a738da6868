/// Taking over, and giving away.
extension Election {
    // MARK: - Taking over

    /// What a backup may take over.
    func vacancy(_ router: Int) -> RouterElection.Vacancy? {
        let state = routers[router]
        // Alone, VRRP's own timers do: there is no address from which to inject.
        guard !state.hosts.isEmpty else { return nil }
        var offer: RouterElection.Vacancy?
        var isAllKnown = true
        for (peer, host) in state.hosts.enumerated() {
            let claim = state.claims[peer]
            switch liveness(router, peer) {
            case .alive:
                if !claim.isTold || claim.state == .unknown || host.map({ !hosts[$0].isCurrent }) ?? true { isAllKnown = false }
                guard claim.isTold else { continue }
                if claim.isMastership { return nil }
                guard claim.state == .master || claim.state == .headless else { continue }
                isAllKnown = false
                // Who does not hear us would not give way to us.
                guard hearsUs(router, peer), !claim.isOutdated else { continue }
                if claim.state == .headless {
                    offer = .headless(peer: peer)
                } else if isBetter(candidacy(router), than: candidacy(router, peer)) {
                    offer = .yielding(peer: peer)
                }
            case .absent, .unknown:
                if state.lastMaster == peer { return nil }
                isAllKnown = false
            case .dead where voucher(router, peer) != .none:
                if state.lastMaster == peer { return nil }
                isAllKnown = false
            case .dead: break
            }
        }
        if let offer { return offer }
        if let master = state.lastMaster, liveness(router, master) == .dead { return .dead(peer: master) }
        return isAllKnown ? .nobody : nil
    }

    /// Takes a vacant office when it is our turn. Returns when to look again.
    mutating func candidate(_ router: Int) -> Int {
        guard let vacancy = vacancy(router) else {
            routers[router].vacancy = nil
            routers[router].silence = nil
            routers[router].awaitsMoment = false
            stopTaking(router)
            return Int.max
        }
        if vacancy != routers[router].vacancy {
            routers[router].vacancy = vacancy
            routers[router].vacantSince = now
            routers[router].attempts = 0
            routers[router].silence = nil
            routers[router].lastAttempt = nil
            routers[router].isMomentGood = false
            routers[router].takenSince = nil
            endTurn(router)
        }
        if let end = routers[router].turn.end, now >= end {
            finishTurn(router)
            endTurn(router)
        }
        routers[router].awaitsMoment = false
        guard routers[router].attempts < settings.attemptLimit else {
            stopTaking(router)
            return Int.max
        }
        let place = place(router, for: vacancy)
        var due = routers[router].vacantSince + place * settings.candidateStepMilliseconds
        switch vacancy {
        case .nobody: due += settings.vacancyMilliseconds
        case .yielding where place > 0 || !routers[router].isMomentGood:
            due += settings.handoverMoment(of: routers[router].router)
            routers[router].awaitsMoment = place == 0 && now < due
        case .yielding, .dead, .headless: break
        }
        if let last = routers[router].lastAttempt { due = max(due, last + settings.attemptInterval(of: routers[router].router)) }
        // Who has said before that it takes it does not wait for one that says so after it, who would wait as well.
        if routers[router].attempts == 0, routers[router].turn == .none, let taken = noteTaking(router) {
            due = max(due, taken + settings.takingPatienceMilliseconds)
        }
        // When the others are silent too, it may be us who hear nobody: that is known in a moment.
        if case .dead = vacancy, let verdict = pendingVerdict(router) { due = max(due, verdict + 1) }
        if vacancy == .nobody, hasStranger(router) {
            guard let silence = silenceBesideStranger(router) else {
                stopTaking(router)
                return Int.max
            }
            due = max(due, silence + place * settings.candidateStepMilliseconds)
        }
        due = max(due, quietUntil)
        guard now >= due else { return min(due, routers[router].turn.end ?? due) }
        if !routers[router].isTaking {
            routers[router].isTaking = true
            changed(router)
        }
        guard routers[router].attempts > 0 || !vacancy.isPaced || hasTurn(router) else { return Int.max }
        routers[router].attempts += 1
        routers[router].lastAttempt = now
        actions.append(inject(router, from: source(of: vacancy, router), priority: 0))
        let next = now + settings.attemptInterval(of: routers[router].router)
        return min(next, routers[router].turn.end ?? next)
    }

    /// When it is known whether the members of the group that are late are dead; nil when none is late. For a group of two the other hosts tell
    /// whether it is us who hear nobody.
    private func pendingVerdict(_ router: Int) -> Int? {
        guard routers[router].hosts.count > 1 else {
            return hosts.lazy.compactMap { $0.pendingVerdict(now: now, settings: settings) }.max()
        }
        return routers[router].hosts.compactMap { $0.flatMap { hosts[$0].pendingVerdict(now: now, settings: settings) } }.max()
    }

    /// Since when another candidate is taking the office, or when its host last took one, which shows that it is at work.
    private mutating func noteTaking(_ router: Int) -> Int? {
        let candidates = routers[router].claims.indices.filter { isCandidate(router, $0) }
        let isTaken = candidates.contains { routers[router].claims[$0].isTaking }
        if isTaken, routers[router].takenSince == nil { routers[router].takenSince = now }
        guard let since = routers[router].takenSince else { return nil }
        // Also when it says no more that it takes this one: after its last attempt its keepalived may still be busy.
        let gains = candidates.compactMap { peer in routers[router].hosts[peer].flatMap { hosts[$0].lastGain } }
        let limit = since + settings.takingLimitMilliseconds - settings.takingPatienceMilliseconds
        return max(since, min(gains.max() ?? since, limit))
    }

    /// Leaves the line of those that are taken over, and tells the others.
    mutating func stopTaking(_ router: Int) {
        endTurn(router)
        guard routers[router].isTaking else { return }
        routers[router].isTaking = false
        changed(router)
    }

    /// How many candidates come before us.
    private func place(_ router: Int, for vacancy: RouterElection.Vacancy) -> Int {
        let own = candidacy(router)
        return routers[router].claims.indices.count { peer in
            guard isCandidate(router, peer), candidacy(router, peer) < own else { return false }
            switch vacancy {
            case .dead, .nobody: return true
            case .headless(let master): return hearEachOther(router, peer, master)
            case .yielding(let master):
                return isBetter(candidacy(router, peer), than: candidacy(router, master)) && hearEachOther(router, peer, master)
            }
        }
    }

    /// Whom keepalived shall believe to have resigned; nil in a group of one.
    private func source(of vacancy: RouterElection.Vacancy, _ router: Int) -> Int? {
        switch vacancy {
        case .dead(let peer), .yielding(let peer), .headless(let peer): peer
        case .nobody: routers[router].router.peers.isEmpty ? nil : 0
        }
    }

    // MARK: - Giving away

    /// Offers our mastership when another member should have it. Returns when to look again.
    mutating func offer(_ router: Int) -> Int {
        guard let reason = reasonToYield(router) else {
            endYielding(router)
            return Int.max
        }
        if routers[router].yieldingFor != nil {
            let end = routers[router].yieldingSince + settings.handoverPatience(of: routers[router].router)
            guard now >= end else { return end }
            endYielding(router)
            routers[router].drainNotBefore = now + settings.handoverRetryMilliseconds
            routers[router].gatewayNotBefore = max(routers[router].gatewayNotBefore, now + settings.handoverRetryMilliseconds)
        }
        let notBefore = reason == .draining ? routers[router].drainNotBefore : routers[router].gatewayNotBefore
        guard now >= notBefore else {
            endYielding(router)
            return notBefore
        }
        // After a partition what another one said before may be long past, and it is master. Its host is looked at again when it is current.
        guard hasCurrentCandidate(router) else {
            endYielding(router)
            return Int.max
        }
        guard routers[router].isHandingOver || isHandoverFree else {
            if !routers[router].isWaitingToYield {
                routers[router].isWaitingToYield = true
                waitingToYield.append(router)
            }
            return Int.max
        }
        if !routers[router].isHandingOver { yieldingCount += 1 }
        if let wait = deafen(router) { return wait }
        routers[router].yieldingFor = reason
        routers[router].yieldingSince = now
        if reason == .gateway { noteGatewayHandover(router) }
        changed(router)
        return now + settings.handoverPatience(of: routers[router].router)
    }

    /// Until when we wait to be deaf to a successor, if we do.
    private mutating func deafen(_ router: Int) -> Int? {
        let group = routers[router].router
        guard let milliseconds = settings.handoverDeafness(of: group) else { return nil }
        if routers[router].deafness == nil { actions.append(.deafen(group.id, milliseconds: milliseconds)) }
        let deafness = routers[router].deafness ?? RouterElection.Filter(asked: now)
        routers[router].deafness = deafness
        return wait(for: deafness, group)
    }

    mutating func noteDeafened(_ router: Int) {
        routers[router].deafness?.isThere = true
        touch(router)
    }

    private func hasCurrentCandidate(_ router: Int) -> Bool {
        routers[router].hosts.enumerated().contains { peer, host in
            isCandidate(router, peer) && host.map { hosts[$0].isCurrent } ?? false
        }
    }

    private func reasonToYield(_ router: Int) -> RouterElection.HandoverReason? {
        let own = candidacy(router)
        guard own.isDraining || own.gateway == .unreachable else { return nil }
        for peer in routers[router].claims.indices where isCandidate(router, peer) {
            let other = candidacy(router, peer)
            if isBetter(other, than: own) { return own.isDraining && !other.isDraining ? .draining : .gateway }
        }
        return nil
    }

    mutating func endYielding(_ router: Int) {
        guard routers[router].isHandingOver else { return }
        let isTold = routers[router].yieldingFor != nil
        routers[router].yieldingFor = nil
        routers[router].deafness = nil
        yieldingCount -= 1
        if isTold { changed(router) }
    }

    private var isHandoverFree: Bool { yieldingCount + calledToYieldCount < settings.handoverLimit }

    /// Free places among those that hand over go to the ones that have waited longest.
    mutating func callNextToYield() {
        while isHandoverFree, !waitingToYield.isEmpty {
            let next = waitingToYield.removeFirst()
            routers[next].isWaitingToYield = false
            routers[next].isCalledToYield = true
            calledToYieldCount += 1
            touch(next)
        }
    }

    /// Both who gives and who takes wait before the router may move again for its gateway, and longer each time that it comes back soon.
    mutating func noteGatewayHandover(_ router: Int) {
        let former = routers[router].gatewayBackoff
        if let last = routers[router].lastGatewayHandover, now - last < 4 * former {
            routers[router].gatewayBackoff = min(2 * former, settings.gatewayBackoffLimitMilliseconds)
        } else {
            routers[router].gatewayBackoff = settings.gatewayBackoffMilliseconds
        }
        routers[router].lastGatewayHandover = now
        routers[router].gatewayNotBefore = now + routers[router].gatewayBackoff
    }
}
