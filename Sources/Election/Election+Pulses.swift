import Addressing
import NetworkModel

/// Telling and being told.
extension Election {
    // MARK: - Sending

    /// Sends a pulse with the entries that the host does not hold.
    ///
    /// - Parameter onlyNew: send nothing but entries that were never sent, because the next pulse with all is near.
    mutating func sendPulses(to host: Int, onlyNew: Bool) {
        let peer = hosts[host]
        let (tells, base) = tellingBase(host, onlyNew: onlyNew)
        let entries = tells && base < number ? unsentEntries(to: host, after: base) : []
        if onlyNew && entries.isEmpty { return }
        let heard = heardList(for: host)
        var pulse = Pulse(
            startID: startID, hearsReceiver: peer.liveness == .alive, ackStartID: peer.startID ?? 0, ack: peer.held, latest: number,
            base: base, upTo: tells ? number : base)
        let capacity = Pulse.entryCapacity(heardBytes: heard.bytes.count)
        var start = 0
        for _ in 0..<settings.datagramLimit {
            let end = min(start + capacity, entries.count)
            pulse.entries = Array(entries[start..<end])
            if tells { pulse.upTo = end == entries.count ? number : entries[end - 1].number }
            actions.append(.send(pulse.encoded(heardCount: heard.count, heardBytes: heard.bytes), to: peer.endpoint))
            pulse.base = pulse.upTo
            start = end
            if start == entries.count { break }
        }
        if tells { hosts[host].sent = max(peer.sent, pulse.upTo) }
    }

    /// Whether to tell a host anything, and what it is taken to hold. One that does not hear us may acknowledge nothing, and one that we do
    /// not hear cannot: they are told what is new, and everything anew now and then.
    private mutating func tellingBase(_ host: Int, onlyNew: Bool) -> (tells: Bool, base: UInt32) {
        let peer = hosts[host]
        switch peer.liveness {
        case .unknown, .absent: return (false, peer.acked)
        case .alive where peer.hearsUs: return (true, onlyNew ? max(peer.sent, peer.acked) : peer.acked)
        case .alive, .dead:
            guard !onlyNew, now >= peer.nextRepetition else { return (true, max(peer.sent, peer.acked)) }
            hosts[host].nextRepetition = now + settings.repetitionIntervalMilliseconds
            return (true, peer.acked)
        }
    }

    private func unsentEntries(to host: Int, after base: UInt32) -> [Pulse.Entry] {
        var entries: [Pulse.Entry] = []
        for membership in hosts[host].memberships where routers[membership.router].number > base {
            entries.append(routers[membership.router].entry(gateways))
        }
        let endpoint = hosts[host].endpoint
        for gone in departed where gone.entry.number > base && gone.hosts.contains(endpoint) { entries.append(gone.entry) }
        entries.sort { $0.number < $1.number }
        return entries
    }

    /// The hosts that we hear and that share a router with the receiver.
    private mutating func heardList(for host: Int) -> (count: Int, bytes: [UInt8]) {
        if let cache = hosts[host].heardCache { return cache }
        var isListed = Array(repeating: false, count: hosts.count)
        isListed[host] = true
        var heard: [Pulse.Heard] = []
        for membership in hosts[host].memberships {
            for case let other? in routers[membership.router].hosts where !isListed[other] {
                isListed[other] = true
                switch hosts[other].liveness {
                case .alive: heard.append(Pulse.Heard(endpoint: hosts[other].endpoint, isAlive: true))
                case .absent: heard.append(Pulse.Heard(endpoint: hosts[other].endpoint, isAlive: false))
                case .unknown, .dead: break
                }
            }
        }
        let list = Pulse.encode(heard: heard)
        hosts[host].heardCache = list
        return list
    }

    /// Tells what cannot wait for the next pulse.
    mutating func flushUrgent() {
        guard isUrgent else { return }
        guard lastUrgent == Int.min || now - lastUrgent >= settings.urgentIntervalMilliseconds else { return }
        isUrgent = false
        lastUrgent = now
        for host in hosts.indices { sendPulses(to: host, onlyNew: true) }
    }

    // MARK: - Receiving

    mutating func receive(_ bytes: [UInt8], from endpoint: IPAddress) {
        guard let host = hostPositions[endpoint], let pulse = Pulse(bytes), pulse.startID != startID,
            pulse.startID != hosts[host].formerStartID
        else { return }
        if pulse.startID != hosts[host].startID { beginAnew(host, startID: pulse.startID) }
        let wasCurrent = hosts[host].isCurrent
        if hosts[host].notePulse(now: now) {
            doubtClaims(of: host)
            livenessChanged(host)
        }
        noteHearing(pulse, of: host)
        hosts[host].acked = pulse.ackStartID == startID && pulse.ack <= number ? pulse.ack : 0
        if pulse.heard != hosts[host].heard {
            hosts[host].heard = pulse.heard
            touchRouters(of: host)
        }
        for entry in pulse.entries { note(entry, of: host) }
        hosts[host].latest = max(hosts[host].latest, pulse.latest)
        if pulse.base <= hosts[host].held { hosts[host].held = max(hosts[host].held, pulse.upTo) }
        if hosts[host].isCurrent { confirmClaims(of: host) }
        if hosts[host].isCurrent != wasCurrent { touchRouters(of: host) }
    }

    /// While a host was silent it may have become master, or given that up.
    private mutating func doubtClaims(of host: Int) {
        hosts[host].isInDoubt = true
        for membership in hosts[host].memberships { routers[membership.router].claims[membership.peer].isOutdated = true }
    }

    private mutating func confirmClaims(of host: Int) {
        guard hosts[host].isInDoubt else { return }
        hosts[host].isInDoubt = false
        for membership in hosts[host].memberships where routers[membership.router].confirm(membership.peer) { touch(membership.router) }
    }

    private mutating func beginAnew(_ host: Int, startID: UInt64) {
        hosts[host].formerStartID = hosts[host].startID
        hosts[host].startID = startID
        hosts[host].held = 0
        hosts[host].latest = 0
        hosts[host].acked = 0
        hosts[host].sent = 0
        for membership in hosts[host].memberships {
            routers[membership.router].forget(membership.peer)
            touch(membership.router)
        }
    }

    private mutating func noteHearing(_ pulse: Pulse, of host: Int) {
        if pulse.hearsReceiver {
            hosts[host].deafSince = nil
            guard !hosts[host].hearsUs else { return }
            hosts[host].hearsUs = true
            hosts[host].sent = 0
            isUrgent = true
            // A handover to it may have failed because it did not.
            for membership in hosts[host].memberships { routers[membership.router].drainNotBefore = Int.min }
            touchRouters(of: host)
        } else {
            hosts[host].hearsUs = false
            guard hosts[host].deafSince == nil else { return }
            hosts[host].deafSince = now
            touchRouters(of: host)
        }
    }

    private mutating func note(_ entry: Pulse.Entry, of host: Int) {
        guard let router = routerPositions[entry.id], let peer = routers[router].hosts.firstIndex(of: host) else { return }
        let wasMaster = routers[router].claims[peer].state == .master
        guard routers[router].note(entry, of: peer) else { return }
        if !wasMaster, entry.state == .master { hosts[host].lastGain = now }
        touch(router)
    }

    mutating func noteSign(of endpoint: IPAddress) {
        guard let host = hostPositions[endpoint] else { return }
        if hosts[host].noteSign(now: now) { livenessChanged(host) }
    }

    // MARK: - Changes of hosts

    mutating func livenessChanged(_ host: Int) {
        actions.append(.peerChanged(endpoint: hosts[host].endpoint, hosts[host].liveness))
        if hosts[host].liveness != .alive {
            hosts[host].hearsUs = false
            hosts[host].heard = []
        }
        for other in hosts.indices { hosts[other].heardCache = nil }
        // Others wait for our word before they act, and the host itself waits to be heard.
        nextPulse = min(nextPulse, now)
        touchRouters(of: host)
        noteIsolation()
    }

    /// Whether it is us who were cut off: of several hosts that fall silent together, that all died is the less likely.
    private mutating func noteIsolation() {
        let isAnyAlive = hosts.contains { $0.liveness == .alive || $0.liveness == .absent }
        if isAnyAlive {
            guard isolatedUntil != nil else { return }
            isolatedUntil = nil
            isolationEnded = now
        } else {
            guard isolatedUntil == nil else { return }
            isolatedSince = now
            silentTogether = hosts.count(where: hasFallenSilent)
            guard silentTogether > 1 else { return }
            isolatedUntil = now + settings.isolationMilliseconds
        }
        for router in routers.indices {
            routers[router].nextHold = nil
            touch(router)
        }
    }

    /// Whether a host is one of those that fell silent when we began to hear nobody.
    func hasFallenSilent(_ host: PeerHost) -> Bool {
        host.diedAt.map { $0 > isolatedSince - settings.isolationWindowMilliseconds } ?? false
    }

    /// We do hear something: then the others may be dead.
    mutating func noteUnderlay() {
        guard let until = isolatedUntil, until > now + settings.isolationReceivingMilliseconds else { return }
        isolatedUntil = now + settings.isolationReceivingMilliseconds
        for router in routers.indices { touch(router) }
    }

    private mutating func touchRouters(of host: Int) {
        for membership in hosts[host].memberships { touch(membership.router) }
    }
}
