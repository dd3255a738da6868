import Addressing

/// keepalived of one router on one host: VRRPv3, unicast, nopreempt, a master that hears a lower priority stays silent.
struct SimulatedDaemon {
    struct Advertisement {
        var source: IPAddress
        var priority: Int
    }

    let address: IPAddress
    let priority: Int
    let intervalMilliseconds: Int
    var isRunning = false
    /// SIGSTOP: packets wait in its socket.
    var isStopped = false
    var isMaster = false
    /// Its addresses are on the host: packets are forwarded.
    var hasAddresses = false
    var waiting: [Advertisement] = []
    /// When it becomes master or, as master, advertises.
    var timer: Int?

    var skew: Int { (256 - priority) * intervalMilliseconds / 256 }

    /// What happened: for the notification, and for the others.
    struct Outcome {
        var notification: Bool?
        var advertises = false
        /// It asks the kernel for its addresses, and says that it is master when it has them.
        var wantsAddresses = false
    }

    mutating func start(now: Int) -> Outcome {
        isRunning = true
        isStopped = false
        waiting = []
        return becomeBackup(now: now)
    }

    private mutating func becomeBackup(now: Int) -> Outcome {
        isMaster = false
        hasAddresses = false
        timer = now + 3 * intervalMilliseconds + skew
        return Outcome(notification: false)
    }

    mutating func fire(now: Int) -> Outcome {
        timer = now + intervalMilliseconds
        guard !isMaster else { return Outcome(advertises: true) }
        isMaster = true
        return Outcome(advertises: true, wantsAddresses: true)
    }

    /// The kernel has done what a new master asked for. False when that is of no use any more.
    mutating func takeAddresses() -> Bool {
        guard isRunning, isMaster, !hasAddresses else { return false }
        hasAddresses = true
        return true
    }

    mutating func hear(_ advertisement: Advertisement, now: Int) -> Outcome {
        guard isRunning else { return Outcome() }
        guard !isStopped else {
            if waiting.count < 100 { waiting.append(advertisement) }
            return Outcome()
        }
        if isMaster {
            if advertisement.priority == 0 { return Outcome(advertises: true) }
            let isBetter =
                advertisement.priority > priority || advertisement.priority == priority && advertisement.source > address
            guard isBetter else { return Outcome() }
            var outcome = becomeBackup(now: now)
            // Its last word.
            outcome.advertises = true
            return outcome
        }
        timer = now + (advertisement.priority == 0 ? skew : 3 * intervalMilliseconds + skew)
        return Outcome()
    }
}
