import AccessPolicy
import Synchronization

/// The rules in force, and what is left of them for the callers that came: worked out once for each set of roles, and anew when rules change.
public final class PolicyBook: Sendable {
    /// Sets of roles that are remembered. A cloud has a few dozen; with more, all are forgotten and worked out again.
    private static let maximumProfiles = 200

    private struct State {
        var rules: PolicyRules
        /// Counts the rules that were in force.
        var version = 0
        var byProfile: [CallerProfile: CallerRules] = [:]
    }

    private let state: Mutex<State>

    public init(_ rules: PolicyRules = .defaults) { state = Mutex(State(rules: rules)) }

    public var rules: PolicyRules { state.withLock { $0.rules } }

    /// Puts other rules in force: the next transaction asks them.
    public func replace(with rules: PolicyRules) { state.withLock { $0 = State(rules: rules, version: $0.version + 1) } }

    /// What is left of the rules for a caller.
    public func rules(for caller: Caller) -> CallerRules {
        if caller.isUnrestricted { return Self.unrestricted }
        if let rules = caller.rules { return rules }
        let profile = CallerProfile(caller)
        if let known = state.withLock({ $0.byProfile[profile] }) { return known }
        // Takes milliseconds, in which others get theirs.
        let (rules, version) = state.withLock { ($0.rules, $0.version) }
        let made = CallerRules(rules, for: profile)
        return state.withLock { state in
            // Others may have been faster; and rules that are no longer in force decide this request only.
            guard state.version == version else { return made }
            if let known = state.byProfile[profile] { return known }
            if state.byProfile.count >= Self.maximumProfiles { state.byProfile.removeAll() }
            state.byProfile[profile] = made
            return made
        }
    }

    /// The caller of a request: the rules as they are now decide all of it, also what its answer shows.
    public func deciding(for caller: Caller) -> Caller {
        caller.isUnrestricted ? caller : caller.decided(by: rules(for: caller))
    }

    static let unrestricted = CallerRules(.defaults, for: CallerProfile(.server))
}
