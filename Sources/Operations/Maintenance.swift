import APISchema
import AccessPolicy
import NetworkModel
import Store

/// How far the rounds of ``Operations/maintain(_:)`` have come: each looks at the next few of what waits, so that what cannot be helped does
/// not keep the rest waiting. The ids of the last ones that were looked at.
public struct MaintenanceProgress: Sendable, Hashable {
    /// Names this server among those that share the database.
    public var holder: String
    /// Whether agents that are silent count as dead. Not at a server's start: its agents have had no time to find it again.
    public var trustsSilence = false
    /// Agents that lost a member because it failed, and when: seconds since 1970. What fails elsewhere is not given to them for a while, or two
    /// hosts with full disks would hand it to each other.
    var distrusted: [ResourceID: Int] = [:]
    var moved = ""
    var lost = ""
    var failing = ""
    var incomplete = ""
    var surplus = ""
    var served = ""
    var unserved = ""

    public init(holder: String) { self.holder = holder }
}

/// What a round found and did.
public struct MaintenanceRound: Sendable, Hashable {
    /// Something that waits for the server: a router or a network, and the agent that shall not have it.
    struct Need: Sendable, Hashable {
        var resourceID: ResourceID
        var agentID: ResourceID
    }

    /// Routers that two or more living hosts claim to be the master of.
    public var conflicts: [MasterConflict] = []
    /// Routers that were moved, put last, or given a member.
    public var changedRouters = 0
    /// Networks whose DHCP was moved, or that got an agent.
    public var changedNetworks = 0
    /// Sentences about routers and networks that could not be helped; the next rounds try again.
    public var failures: [String] = []

    var moved: [Need] = []
    var lost: [Need] = []
    var failing: [Need] = []
    var incomplete: [ResourceID] = []
    var surplus: [ResourceID] = []
    var served: [Need] = []
    var unserved: [ResourceID] = []
}

extension Operations {
    /// What of one kind a round does at most.
    static let maximumPerRound = 50
    /// How long a server keeps the duty without renewing it.
    static let dutySeconds = 30
    /// How long an agent that failed is not trusted with what fails elsewhere.
    private static let distrustSeconds = 3600
    private static let duty = "maintenance"

    /// One round of what no request and no report asks for, each router and network in a transaction of its own:
    ///
    /// - standalone routers and DHCP leave agents that are disabled or dead,
    /// - members of highly available routers whose agents have been dead, or which have failed, for longer than
    ///   ``ServerSettings/replaceLostMembersAfterSeconds`` are replaced,
    /// - members on disabled agents come last in their groups, and go when others that stood in for them are there,
    /// - routers that lack members, and networks that lack agents for DHCP, get them.
    ///
    /// Of several servers on one database one does it at a time; all find the conflicts.
    public func maintain(_ progress: inout MaintenanceProgress) async throws -> MaintenanceRound {
        let before = progress
        var round = try await read(.server) { verb in try verb.maintenanceNeeds(before) }
        progress.advance(round)
        guard !round.isIdle else { return round }
        let holder = progress.holder
        guard try await write(.server, { verb in try verb.claim(Self.duty, by: holder, forSeconds: Self.dutySeconds) }) else {
            return round
        }
        for need in round.moved {
            round.note("router \(need.resourceID)", try await attempt { try $0.relieve(need.agentID, ofRouter: need.resourceID) }) {
                $0.changedRouters += 1
            }
        }
        try await replaceLost(&round, &progress)
        for id in round.incomplete {
            let failure = try await attempt { verb in
                guard let router = try verb.find(Router.self, id) else { return false }
                return try verb.scheduleRouter(router)
            }
            round.note("router \(id)", failure) { $0.changedRouters += 1 }
        }
        for id in round.surplus {
            let failure = try await attempt { verb in
                guard let router = try verb.find(Router.self, id) else { return false }
                return try verb.removeSurplus(of: router)
            }
            round.note("router \(id)", failure) { $0.changedRouters += 1 }
        }
        for need in round.served {
            round.note("network \(need.resourceID)", try await attempt { try $0.relieve(need.agentID, ofNetwork: need.resourceID) }) {
                $0.changedNetworks += 1
            }
        }
        for id in round.unserved {
            let failure = try await attempt { verb in
                guard let network = try verb.find(Network.self, id) else { return false }
                return try verb.addDHCPAgents(to: network)
            }
            round.note("network \(id)", failure) { $0.changedNetworks += 1 }
        }
        return round
    }

    private func replaceLost(_ round: inout MaintenanceRound, _ progress: inout MaintenanceProgress) async throws {
        let time = now().secondsSince1970
        progress.distrusted = progress.distrusted.filter { time - $0.value < Self.distrustSeconds }
        for need in round.lost + round.failing {
            let distrusted = Set(progress.distrusted.keys)
            let result = try await attempt { verb in
                guard let router = try verb.find(Router.self, need.resourceID) else { return false }
                return try verb.replaceMember(of: router, on: need.agentID, distrusted: distrusted)
            }
            round.note("router \(need.resourceID)", result) { $0.changedRouters += 1 }
            if case .success(true) = result, round.failing.contains(need) { progress.distrusted[need.agentID] = time }
        }
    }

    /// What one transaction did; an error of the API, such as addresses that ran out, is its business alone.
    private func attempt(_ body: @escaping @Sendable (Verb) throws -> Bool) async throws -> Result<Bool, APIError> {
        do {
            return .success(try await write(.server, body))
        } catch let error as APIError {
            return .failure(error)
        }
    }
}

extension MaintenanceRound {
    fileprivate var isIdle: Bool {
        moved.isEmpty && lost.isEmpty && failing.isEmpty && incomplete.isEmpty && surplus.isEmpty && served.isEmpty && unserved.isEmpty
    }

    fileprivate mutating func note(_ subject: String, _ result: Result<Bool, APIError>, count: (inout MaintenanceRound) -> Void) {
        switch result {
        case .success(true): count(&self)
        case .success(false): break
        case .failure(let error): failures.append("\(subject): \(error.message)")
        }
    }
}

extension MaintenanceProgress {
    /// Goes on behind what the round looks at, or from the beginning once nothing is left.
    fileprivate mutating func advance(_ round: MaintenanceRound) {
        moved = Self.next(round.moved.map(\.resourceID))
        lost = Self.next(round.lost.map(\.resourceID))
        failing = Self.next(round.failing.map(\.resourceID))
        incomplete = Self.next(round.incomplete)
        surplus = Self.next(round.surplus)
        served = Self.next(round.served.map(\.resourceID))
        unserved = Self.next(round.unserved)
    }

    private static func next(_ ids: [ResourceID]) -> String {
        ids.count < Operations.maximumPerRound ? "" : ids.last?.description ?? ""
    }
}

extension Verb {
    /// Of the agents of a type at least one of so many must be alive for the silent ones to count as dead: when nearly all fall silent, it is
    /// rather the server that is cut off.
    private static let livingShare = 3

    func maintenanceNeeds(_ progress: MaintenanceProgress) throws -> MaintenanceRound {
        var round = MaintenanceRound()
        round.conflicts = try masterConflicts()
        let limit = Operations.maximumPerRound
        let silent = try silentSince(.l3, progress, seconds: settings.agentDownSeconds)
        round.moved = try drainNeeds(after: progress.moved, silentSince: silent, limit: limit)
        round.surplus = try routersWithSurplus(after: progress.surplus, limit: limit)
        if settings.replaceLostMembersAfterSeconds > 0 {
            let seconds = max(settings.replaceLostMembersAfterSeconds, settings.agentDownSeconds)
            if let since = try silentSince(.l3, progress, seconds: seconds) {
                round.lost = try lostMembers(after: progress.lost, silentSince: since, limit: limit)
            }
            round.failing = try failingMembers(after: progress.failing, limit: limit)
        }
        round.incomplete = try incompleteRouters(after: progress.incomplete, limit: limit)
        let deadServers = try silentSince(.dhcp, progress, seconds: settings.agentDownSeconds)
        round.served = try needs(
            """
            SELECT d.network_id, d.agent_id FROM dhcp_bindings d JOIN agents a ON a.id = d.agent_id WHERE d.is_manual = 0 AND d.network_id > ?
            AND (a.admin_state_up = 0 OR a.heartbeat_timestamp < ?) ORDER BY d.network_id LIMIT ?
            """, [.text(progress.served), .text(deadServers?.description ?? ""), .integer(limit)])
        round.unserved = try unservedNetworks(after: progress.unserved, limit: limit)
        return round
    }

    func needs(_ sql: String, _ arguments: [ColumnValue]) throws -> [MaintenanceRound.Need] {
        try transaction.rows(sql, arguments).compactMap { row in
            guard let resource = row[0].id, let agent = row[1].id else { return nil }
            return MaintenanceRound.Need(resourceID: resource, agentID: agent)
        }
    }

    /// The heartbeat before which an agent of the type has been silent for so long; nil while silence proves nothing.
    private func silentSince(_ type: AgentType, _ progress: MaintenanceProgress, seconds: Int) throws -> Timestamp? {
        guard progress.trustsSilence else { return nil }
        let agents = try list(Agent.self, where: "agent_type", type)
        guard agents.filter(isAlive).count * Self.livingShare >= agents.count else { return nil }
        return Timestamp(secondsSince1970: now.secondsSince1970 - seconds)
    }

    /// Takes or renews a duty that one server at a time has. False while another one has it.
    func claim(_ name: String, by holder: String, forSeconds seconds: Int) throws -> Bool {
        let until = ColumnValue.integer(now.secondsSince1970 + seconds)
        let renewed = try transaction.execute(
            "UPDATE duties SET holder = ?, expires_at = ? WHERE name = ? AND (holder = ? OR expires_at < ?)",
            [.text(holder), until, .text(name), .text(holder), .integer(now.secondsSince1970)])
        guard renewed == 0 else { return true }
        return try transaction.insertIfAbsent(
            table: "duties", columns: ["name", "holder", "expires_at"], values: [.text(name), .text(holder), until])
    }
}
