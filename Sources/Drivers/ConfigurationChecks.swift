import KernelInterface
import Synchronization

/// Asks daemons' programs whether they would take a configuration, and remembers what they said of each *shape*.
///
/// A check is a process, and a host may have hundreds of daemons of one kind, which all change at once when a host joins or leaves. What a
/// program refuses is nearly always a word that it does not know, and all daemons of a kind have the same words; their values come from types that
/// hold no wrong ones. So texts that differ in nothing but words with digits, and in how often a line of one form follows itself, are checked once.
///
///                    exit code 0                             10 min
///     unknown ────────────────────────▶ accepted ───────────────────────────▶ unknown (the program may be another one)
///        │   could not be run, no end                         1 min
///        ├────────────────────────────▶ undecided (goes for accepted) ───────▶ unknown
///        │   other exit code, three times                     1 min
///        └────────────────────────────▶ refused ────────────────────────────▶ unknown
///
/// A refusal counts for the one text first, whose values may be to blame: other daemons are asked for apart. Three make it one of the shape.
final class ConfigurationChecks: Sendable {
    static let acceptedMilliseconds = 600_000
    static let refusedMilliseconds = 60_000
    /// keepalived takes 25 ms.
    static let timeoutMilliseconds = 1_000
    static let refusalsOfShape = 3
    /// Shapes, and texts that are refused, that are remembered; there are some ten shapes.
    static let maximumVerdicts = 1_024

    private struct Shape: Hashable {
        var command: [String]
        var form: [UInt8]
    }

    private struct Refusal {
        var contents: String
        var words: String
        var until: Int
    }

    private struct State {
        /// Until when a shape is accepted.
        var accepted: [Shape: Int] = [:]
        /// By path. What was refused is asked for again before it is taken, whatever became of its shape.
        var refused: [String: Refusal] = [:]
        var refusedShapes: [Shape: (count: Int, last: Refusal)] = [:]
    }

    private struct Known {
        var refusal: String?
    }

    private enum Verdict {
        case accepted
        case refused(String)
        case unknown
    }

    private let state = Mutex(State())
    /// One check at a time: the others most likely wait for the same.
    private let turn = Mutex<Void>(())

    /// Why the daemon's program refuses its configuration; nil when it does not, or cannot be asked.
    func refusal(of configuration: DaemonConfiguration, host: any ProcessHost, now: Int) throws(KernelError) -> String? {
        guard let check = configuration.check, let file = configuration.files.first(where: { $0.path == check.path }) else { return nil }
        let shape = Shape(command: check.command, form: Self.form(of: file.contents))
        if let known = known(file, shape, now) { return known.refusal }
        return try turn.withLock { _ throws(KernelError) in
            if let known = known(file, shape, now) { return known.refusal }
            let verdict = try ask(check, file.contents, configuration.namespace, host)
            note(verdict, of: file, shape, now)
            return if case .refused(let words) = verdict { words } else { nil }
        }
    }

    private func known(_ file: ConfigurationFile, _ shape: Shape, _ now: Int) -> Known? {
        state.withLock { state in
            if let refused = state.refused[file.path], refused.contents == file.contents {
                return refused.until > now ? Known(refusal: refused.words) : nil
            }
            if let until = state.accepted[shape], until > now { return Known(refusal: nil) }
            if let refused = state.refusedShapes[shape], refused.count >= Self.refusalsOfShape, refused.last.until > now {
                return Known(refusal: refused.last.words)
            }
            return nil
        }
    }

    private func note(_ verdict: Verdict, of file: ConfigurationFile, _ shape: Shape, _ now: Int) {
        state.withLock { state in
            let count = max(state.accepted.count, state.refused.count, state.refusedShapes.count)
            if count >= Self.maximumVerdicts { state = State() }
            switch verdict {
            case .refused(let words):
                let refusal = Refusal(contents: file.contents, words: words, until: now + Self.refusedMilliseconds)
                state.refused[file.path] = refusal
                state.refusedShapes[shape] = ((state.refusedShapes[shape]?.count ?? 0) + 1, refusal)
            case .accepted, .unknown:
                let isAccepted = if case .accepted = verdict { true } else { false }
                state.refused[file.path] = nil
                state.refusedShapes[shape] = nil
                state.accepted[shape] = now + (isAccepted ? Self.acceptedMilliseconds : Self.refusedMilliseconds)
            }
        }
    }

    private func ask(
        _ check: ConfigurationCheck, _ contents: String, _ namespace: NamespaceName?, _ host: any ProcessHost
    ) throws(KernelError) -> Verdict {
        let candidate = check.path + ".candidate"
        try host.writeFile(candidate, contents)
        defer { try? host.removeFile(candidate) }
        do throws(KernelError) {
            try host.start(check.command + [candidate], in: namespace, timeoutMilliseconds: Self.timeoutMilliseconds)
            return .accepted
        } catch {
            // An errno: the program is not there, or the machine is busy. That is no word about the configuration.
            return error.code == 0 ? .refused(Self.words(error.description, candidate: candidate)) : .unknown
        }
    }

    /// What the program said, the same for every daemon whose configuration has the shape.
    private static func words(_ text: String, candidate: String) -> String {
        let name = String(candidate.split(separator: "/").last ?? "")
        return LastWords.lasting(text.split(separator: candidate, omittingEmptySubsequences: false).joined(separator: name))
    }

    /// The lines of a text, with # for each word with a digit, and without those that are the same as the one before.
    static func form(of text: String) -> [UInt8] {
        var forms: [UInt8] = []
        var last: [UInt8] = []
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            var form: [UInt8] = []
            for word in line.split(separator: UInt8(ascii: " ")) {
                let hasDigit = word.contains { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                if hasDigit { form.append(UInt8(ascii: "#")) } else { form += word }
                form.append(UInt8(ascii: " "))
            }
            if form == last { continue }
            forms += form
            forms.append(UInt8(ascii: "\n"))
            last = form
        }
        return forms
    }
}
