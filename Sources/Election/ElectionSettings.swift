/// Times and limits of the election assistant. All times are milliseconds.
public struct ElectionSettings: Hashable, Sendable {
    /// How often a pulse goes to each peer host.
    public var pulseIntervalMilliseconds = 20
    /// A host without any sign of life for so long is dead.
    public var deathMilliseconds = 80
    /// A pulse that is so late makes us ask the peer's kernel with echo requests.
    public var echoAfterMilliseconds = 30
    /// How often the kernel of a peer is asked while its pulse is late.
    public var echoIntervalMilliseconds = 10
    /// How often the kernel of a peer is asked that is dead. One that was never heard is asked five times as often, until it counts as dead.
    public var searchIntervalMilliseconds = 1000
    /// A peer that was never heard counts as dead after so long: it was dead before we started.
    public var strangerDeathMilliseconds = 1000
    /// Changes are told at once, but at most so often.
    public var urgentIntervalMilliseconds = 5
    /// A host that we do not hear, or that does not hear us, is told all that it has not acknowledged so often.
    public var repetitionIntervalMilliseconds = 200

    /// How long nobody must be master before the members elect one themselves.
    public var vacancyMilliseconds = 15
    /// The k-th candidate for an office acts k times so long after the first.
    public var candidateStepMilliseconds = 60
    /// One that says that it takes the office gets so long: many keepalived at once need their time…
    public var takingPatienceMilliseconds = 400
    /// …and as long again after each office that its host took meanwhile, but no longer than this in all. Who acted while a host is at work would give it,
    /// and itself, twice as much to do.
    public var takingLimitMilliseconds = 2000
    /// A candidate tries again after so long…
    public var attemptIntervalMilliseconds = 200
    /// …and so often in all; then VRRP's own timers decide.
    public var attemptLimit = 5

    /// So many routers that nobody serves are taken over by a host at a time, at least one; `Int.max`: all at once. As many as keep a kernel busy although
    /// each keepalived first waits for its skew…
    public var takeoverLimit = 20
    /// …begun one after the other, so that they do not go in step…
    public var takeoverSpacingMilliseconds = 1
    /// …more, up to so many times as many, and as often at once, while keepaliveds are masters so soon after their skew…
    public var shortTakeoverMilliseconds = 8
    public var takeoverGrowth = 2
    /// …and fewer again while they take longer than this…
    public var longTakeoverMilliseconds = 40
    /// …and followed by the next when they are master, or so long after their skew: a keepalived that hangs, or that processors busy with other work let
    /// wait, must not hold up the rest.
    public var takeoverTurnMilliseconds = 100

    /// How often the loser of a conflict tells its keepalived so…
    public var resignIntervalMilliseconds = 30
    /// …before it takes the addresses away by force.
    public var resignLimit = 5
    /// A loser of higher priority than the winner is kept from saying so for so long.
    public var muteMilliseconds = 500
    /// For a filter of the host (to mute, to deafen) a member waits no longer than this, and than a third of an interval: it then goes on without it, which
    /// may cost some packets.
    public var filterPatienceMilliseconds = 300
    /// A conflict that lasts longer is reported.
    public var conflictReportMilliseconds = 500
    /// A rival that we hear and that does not hear us for so long cannot give way: we do.
    public var deafRivalMilliseconds = 100

    /// The old master of a handover keeps the addresses for so long beside the new one, and at most for a third of an interval, since its next
    /// advertisement would send the new one back…
    public var handoverOverlapMilliseconds = 50
    /// …which announces them so often meanwhile…
    public var handoverAnnouncementMilliseconds = 10
    /// …and no more than so many times.
    public var handoverAnnouncementLimit = 20

    /// How many routers of a host are handed over at once; most of them wait for their moment.
    public var handoverLimit = 32
    /// A successor waits for the master's next advertisement, to take over right behind it: one that came between would send the successor back.
    /// VRRP's interval, and so much for the advertisement to come.
    public var handoverSlackMilliseconds = 100
    /// A handover that nobody takes part in ends so long after that…
    public var handoverPatienceMilliseconds = 900
    /// …and is offered again after so long.
    public var handoverRetryMilliseconds = 10_000
    /// The least time between two handovers of one router because of its gateway; doubles while it goes back and forth.
    public var gatewayBackoffMilliseconds = 10_000
    public var gatewayBackoffLimitMilliseconds = 300_000

    /// How often the advertisement of a master that cannot be heard is relayed, at most VRRP's interval: a backup takes over after three of these.
    public var relayIntervalMilliseconds = 330
    /// A member that begins to be backup listens for its master a moment later: new routers have their first election before that.
    public var settleMilliseconds = 100
    /// How much longer than an interval a member listens until it believes that nobody advertises.
    public var silenceSlackMilliseconds = 200
    /// For how many intervals a member that begins, and does not hear the master, is told its advertisements…
    public var beginningRelayIntervals = 20
    /// …and is kept from being master while it is not known of living hosts whether they are.
    public var beginningHoldIntervals = 6
    /// How often a member without carrier is kept from becoming master, at most VRRP's interval.
    public var holdIntervalMilliseconds = 1000
    /// After the carrier came back, how long a member waits for its peers before it may become master again.
    public var holdAfterCarrierMilliseconds = 3000
    /// Hosts that fall silent within so long of each other are thought to live: it is us who hear nobody.
    public var isolationWindowMilliseconds = 1000
    /// How long a host that hears nobody any more keeps its members from being master, of groups of two only where two others fell silent with the peer…
    public var isolationMilliseconds = 60_000
    /// …and how long when the device that tunnels start from still receives something, so that the others may have died after all.
    public var isolationReceivingMilliseconds = 3000
    /// How long a master whose keepalived ended waits for a successor before keepalived is started again.
    public var headlessMilliseconds = 300

    /// Datagrams with entries to one peer, per pulse.
    public var datagramLimit = 8
    /// Routers that were removed and of which peers are still told.
    public var departedLimit = 1024
    /// How long peers are told of a router that was removed.
    public var departedMilliseconds = 10_000

    public init() {}
}

/// What follows VRRP's own times, which deployments choose between 10 ms and 255 s.
extension ElectionSettings {
    func relayInterval(of router: ElectionRouter) -> Int { min(relayIntervalMilliseconds, router.advertisementIntervalMilliseconds) }

    func holdInterval(of router: ElectionRouter) -> Int { min(holdIntervalMilliseconds, router.advertisementIntervalMilliseconds) }

    func settleTime(of router: ElectionRouter) -> Int { min(settleMilliseconds, router.advertisementIntervalMilliseconds / 2) }

    /// Together with the former less than the three intervals after which keepalived becomes master.
    func beginningSilence(of router: ElectionRouter) -> Int {
        min(strangerSilence(of: router), 2 * router.advertisementIntervalMilliseconds)
    }

    /// How long a master is certainly heard once.
    func strangerSilence(of router: ElectionRouter) -> Int { router.advertisementIntervalMilliseconds + silenceSlackMilliseconds }

    /// How long a master that yields may take to advertise itself once more.
    func handoverMoment(of router: ElectionRouter) -> Int { router.advertisementIntervalMilliseconds + handoverSlackMilliseconds }

    func handoverOverlap(of router: ElectionRouter) -> Int {
        min(handoverOverlapMilliseconds, router.advertisementIntervalMilliseconds / 3)
    }

    /// Of a group that advertises often, another member would become master if it heard nobody for three intervals.
    func muteTime(of router: ElectionRouter) -> Int { min(muteMilliseconds, 2 * router.advertisementIntervalMilliseconds) }

    func filterPatience(of router: ElectionRouter) -> Int {
        min(filterPatienceMilliseconds, router.advertisementIntervalMilliseconds / 3)
    }

    /// How long after it was asked for a mute is too old for a master that is about to give way: all its attempts shall lie in it. Longer than the patience.
    func muteRenewal(of router: ElectionRouter) -> Int {
        max(muteTime(of: router) - resignLimit * resignIntervalMilliseconds, muteTime(of: router) / 2)
    }

    /// Until the overlap is over. A backup that hears nobody for three intervals becomes master: where these are short nobody is made deaf.
    func handoverDeafness(of router: ElectionRouter) -> Int? {
        let milliseconds = handoverMoment(of: router) + 2 * handoverOverlap(of: router)
        return milliseconds < 2 * router.advertisementIntervalMilliseconds ? milliseconds : nil
    }

    func handoverPatience(of router: ElectionRouter) -> Int { handoverMoment(of: router) + handoverPatienceMilliseconds }

    /// A second advertisement of priority 0 makes keepalived count its skew (RFC 5798, section 6.1) from the start.
    func attemptInterval(of router: ElectionRouter) -> Int {
        max(attemptIntervalMilliseconds, skew(of: router) + handoverSlackMilliseconds)
    }

    func takeoverTurn(of router: ElectionRouter) -> Int { skew(of: router) + takeoverTurnMilliseconds }

    var takeoverSpacing: Int { takeoverLimit == .max ? 0 : takeoverSpacingMilliseconds }

    /// RFC 5798, section 6.1: after this a backup that hears priority 0 is master.
    private func skew(of router: ElectionRouter) -> Int { (256 - router.priority) * router.advertisementIntervalMilliseconds / 256 }
}
