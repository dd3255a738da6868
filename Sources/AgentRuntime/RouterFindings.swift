import Converters
import Drivers
import HostModel
import Logging
import NetworkModel

extension Agent {
    /// Says that something else than a cycle's work is amiss with a router, such as another owner of one of its addresses; nil: it is over.
    public func setProblem(_ sentence: String?, ofRouter id: ResourceID) {
        guard routerProblems[id] != sentence else { return }
        routerProblems[id] = sentence
        reviewRouters()
    }

    /// After a cycle: notes what it found of each router.
    func noteRouters(_ conversion: HostConverter.Conversion, _ result: ApplyReport) {
        for id in routerProblems.keys where view.routers[id] == nil { routerProblems[id] = nil }
        routerFindings = findRouters(conversion, result)
        reviewRouters()
    }

    /// What the server shall hear of a router; nil while nothing is known for sure: what an agent that starts anew doubts may be what the one
    /// before it reported.
    func routerReport(_ id: ResourceID) -> HostStatus.RouterReport? {
        let failure = routerFailures.sentence(of: id).map(StatusOutbox.fit)
        let isExternal = failure != nil && failure == routerProblems[id].map(StatusOutbox.fit) ? true : nil
        if let state = members[id]?.state {
            return HostStatus.RouterReport(routerID: id, state: state, failure: failure, isFailureExternal: isExternal)
        }
        let isMember = view.routers[id]?.redundancy != nil
        guard failure != nil || !isMember && !routerFailures.isDoubtful(id) else { return nil }
        return HostStatus.RouterReport(routerID: id, state: .unknown, failure: failure, isFailureExternal: isExternal)
    }

    private func findRouters(_ conversion: HostConverter.Conversion, _ result: ApplyReport) -> [ResourceID: RouterFailures.Finding] {
        var findings = conversion.routerProblems.mapValues { RouterFailures.Finding.failing($0) }
        for (id, member) in members where member.expectsWord && findings[id] == nil { findings[id] = .silent }
        guard !result.isComplete else { return findings }
        let processes = reconciler.daemonProcesses
        for id in view.routers.keys {
            if let sentence = result.failure(ofRouter: id) {
                findings[id] = .failing(sentence)
            } else if findings[id] == nil || findings[id] == .silent {
                let isStarting = ApplyReport.daemonKeys(ofRouter: id).contains {
                    conversion.configuration.daemons[$0] != nil && processes[$0] == nil
                }
                if isStarting { findings[id] = .starting }
            }
        }
        return findings
    }

    /// Whether a known problem says more than the finding.
    private static func givesWay(_ finding: RouterFailures.Finding?) -> Bool {
        if case .failing = finding { false } else { true }
    }

    /// Reports what has lasted long enough, and looks again when time alone decides.
    func reviewRouters() {
        routerReview?.cancel()
        routerReview = nil
        var findings = routerFindings
        for (id, sentence) in routerProblems where Self.givesWay(findings[id]) { findings[id] = .failing(sentence) }
        guard !findings.isEmpty || !routerFailures.isEmpty else { return }
        let now = milliseconds
        let news = routerFailures.update(findings, routers: { view.routers[$0] != nil }, now: now)
        for id in news {
            if let sentence = routerFailures.sentence(of: id) {
                logger.warning("A router cannot be realised", metadata: ["router": "\(id)", "failure": "\(sentence)"])
            } else {
                logger.notice("A router is realised again", metadata: ["router": "\(id)"])
            }
            if let report = routerReport(id) { outbox.add(report) }
        }
        if !news.isEmpty { reportWakeUp() }
        guard let delay = routerFailures.nextLookMilliseconds(now: now) else { return }
        routerReview = Task {
            do { try await Task.sleep(for: .milliseconds(delay)) } catch { return }
            reviewRouters()
        }
    }
}
