import Logging
import NetworkModel
import Operations
import ServiceLifecycle

/// Looks every few seconds for what no request and no report asks for: see ``Operations/maintain(_:)``. Raises the alarm while two hosts
/// claim to be the master of one router.
struct MaintenanceService: Service {
    static let intervalSeconds = 5
    /// A round that is later than this by the clock means that the clock was set or the server slept: silence proves nothing then.
    static let maximumGapSeconds = 30
    /// Routers that one round names in the log.
    static let maximumNamed = 20

    let operations: Operations
    let now: @Sendable () -> Timestamp
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown { await follow() }
    }

    private func follow() async {
        var generator = SystemRandomNumberGenerator()
        var progress = MaintenanceProgress(holder: ResourceID(using: &generator).description)
        var conflicts: [ResourceID: [String]] = [:]
        var trustedSince = now().secondsSince1970
        var previous = trustedSince
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(Self.intervalSeconds)) } catch { return }
            let time = now().secondsSince1970
            if time < previous || time - previous > Self.maximumGapSeconds { trustedSince = time }
            previous = time
            // Agents need as long as they may be silent to find a server again.
            progress.trustsSilence = time - trustedSince > operations.settings.agentDownSeconds
            do {
                let round = try await operations.maintain(&progress)
                report(round)
                alarm(round.conflicts, &conflicts)
            } catch {
                logger.error("A round of maintenance failed; the next one tries again", metadata: ["error": "\(error)"])
            }
        }
    }

    private func report(_ round: MaintenanceRound) {
        if round.changedRouters > 0 || round.changedNetworks > 0 {
            logger.notice(
                "Routers and networks got other agents",
                metadata: ["routers": "\(round.changedRouters)", "networks": "\(round.changedNetworks)"])
        }
        for failure in round.failures.prefix(Self.maximumNamed) {
            logger.error("What waits for an agent cannot have one", metadata: ["reason": "\(failure)"])
        }
    }

    /// Says once that a conflict began, and once that it ended.
    private func alarm(_ found: [MasterConflict], _ known: inout [ResourceID: [String]]) {
        let current = Dictionary(uniqueKeysWithValues: found.map { ($0.routerID, $0.hostIDs) })
        for conflict in found.filter({ known[$0.routerID] != $0.hostIDs }).prefix(Self.maximumNamed) {
            logger.warning(
                "Several hosts claim to be the master of a router",
                metadata: ["router": "\(conflict.routerID)", "hosts": "\(conflict.hostIDs.joined(separator: ","))"])
        }
        for id in known.keys.filter({ current[$0] == nil }).sorted().prefix(Self.maximumNamed) {
            logger.notice("A router has one master again", metadata: ["router": "\(id)"])
        }
        known = current
    }
}
