import Addressing
import NetworkModel

@testable import Election

/// What may befall a simulated group.
extension SimulatedGroup {
    /// Everything starts, and the first election is held.
    func start() {
        for host in hosts.indices {
            for router in routers.indices { startDaemon(router, on: host) }
            startAgent(host)
        }
    }

    /// Starts, waits until all is quiet, and forgets how it went.
    func startAndSettle() {
        start()
        run(2000)
        forgetTimes()
        conflicts = []
        peerChanges = []
    }

    func startAgent(_ host: Int) {
        hosts[host].startID = generator.next()
        hosts[host].agent = Election(settings: settings, startID: hosts[host].startID)
        hosts[host].isFrozen = false
        hosts[host].waiting = []
        hosts[host].wakeAt = nil
        hosts[host].wakeToken += 1
        hosts[host].listens = []
        configure(host)
        for router in routers.indices {
            let daemon = hosts[host].daemons[router]
            tell(host, .member(routers[router], daemon.hasAddresses ? .master : .backup))
            if !daemon.isRunning { tell(host, .daemonEnded(routers[router])) }
        }
        if hasGateway { tell(host, .gateway(key: "gateway", hosts[host].gateway)) }
    }

    func killAgent(_ host: Int) { hosts[host].agent = nil }

    func freezeAgent(_ host: Int) { hosts[host].isFrozen = true }

    func thawAgent(_ host: Int) {
        guard hosts[host].isFrozen else { return }
        hosts[host].isFrozen = false
        let waiting = hosts[host].waiting
        hosts[host].waiting = []
        for event in waiting { tell(host, event) }
        tell(host, .tick)
    }

    func cutPower(_ host: Int) {
        hosts[host].isPowered = false
        hosts[host].agent = nil
        for router in routers.indices {
            hosts[host].daemons[router].isRunning = false
            hosts[host].daemons[router].hasAddresses = false
            hosts[host].daemons[router].isMaster = false
            hosts[host].daemons[router].timer = nil
            countOwners(router)
        }
    }

    func restorePower(_ host: Int) {
        guard !hosts[host].isPowered else { return }
        hosts[host].isPowered = true
        hosts[host].hasCarrier = true
        for router in routers.indices { startDaemon(router, on: host) }
        startAgent(host)
    }

    /// SIGKILL: the addresses stay.
    func killDaemon(_ router: Int, on host: Int) {
        guard hosts[host].isPowered, hosts[host].daemons[router].isRunning else { return }
        hosts[host].daemons[router].isRunning = false
        hosts[host].daemons[router].isMaster = false
        hosts[host].daemons[router].timer = nil
        after(2) { self.tell(host, .daemonEnded(self.routers[router])) }
    }

    /// It goes and takes its addresses along, as at the end of a host's work.
    func endDaemon(_ router: Int, on host: Int) {
        hosts[host].daemons[router].isRunning = false
        hosts[host].daemons[router].isMaster = false
        hosts[host].daemons[router].hasAddresses = false
        hosts[host].daemons[router].timer = nil
        countOwners(router)
    }

    /// SIGSTOP.
    func stopDaemon(_ router: Int, on host: Int) { hosts[host].daemons[router].isStopped = true }

    /// SIGCONT: it reads what waited, and its timers have run out.
    func continueDaemon(_ router: Int, on host: Int) {
        guard hosts[host].daemons[router].isStopped else { return }
        hosts[host].daemons[router].isStopped = false
        let waiting = hosts[host].daemons[router].waiting
        hosts[host].daemons[router].waiting = []
        for advertisement in waiting { hear(advertisement, router: router, on: host) }
        if let timer = hosts[host].daemons[router].timer, timer <= now {
            let outcome = hosts[host].daemons[router].fire(now: now)
            conclude(outcome, router: router, on: host)
        }
    }

    func setCarrier(_ host: Int, _ isUp: Bool) {
        hosts[host].hasCarrier = isUp
        for router in routers.indices { countOwners(router) }
        tell(host, .carrier(isUp: isUp))
    }

    func setGateway(_ host: Int, _ reachability: Reachability) {
        hosts[host].gateway = reachability
        tell(host, .gateway(key: "gateway", reachability))
    }

    func drain(_ host: Int, _ isDraining: Bool = true) {
        hosts[host].isDraining = isDraining
        for other in hosts.indices { configure(other) }
    }

    /// Loses what one host sends to another; on the HA network only, or on both.
    func lose(from: Int, to: Int, _ loss: Double = 1, onlyAdvertisements: Bool = false) {
        advertisementLoss[from][to] = loss
        if !onlyAdvertisements { underlayLoss[from][to] = loss }
    }

    /// Loses pulses and echo requests between two hosts, and no advertisement.
    func filterPulses(_ one: Int, _ other: Int) {
        underlayLoss[one][other] = 1
        underlayLoss[other][one] = 1
    }

    func cut(_ one: Int, _ other: Int, onlyAdvertisements: Bool = false) {
        lose(from: one, to: other, onlyAdvertisements: onlyAdvertisements)
        lose(from: other, to: one, onlyAdvertisements: onlyAdvertisements)
    }

    func heal() {
        for one in hosts.indices {
            for other in hosts.indices {
                underlayLoss[one][other] = 0
                advertisementLoss[one][other] = 0
            }
        }
    }
}
