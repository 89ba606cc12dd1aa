import Foundation
import PocketIqa

/// Rates photos that the user picks, off the main thread.
struct PhotoRater {
    let scorer: Scorer

    /// The bundle is the folder `pocketiqa` among the app's resources.
    init() async throws {
        guard let bundle = Bundle.main.url(forResource: "pocketiqa", withExtension: nil) else {
            throw PocketIqaError("the app has no folder pocketiqa")
        }
        scorer = try await Scorer.load(bundle)
    }

    /// What to show for a photo's bytes: `try await pickerItem.loadTransferable(type: Data.self)`, say.
    func rate(_ photo: Data) async -> String {
        do {
            let quality = try await scorer.score(photo)
            let decision = try scorer.gate().decide(quality)
            if !decision.accepted { return decision.reasons.joined(separator: "\n") }
            return "good enough: \(Int(100 * quality.score)) of 100"
        } catch {
            return error.localizedDescription
        }
    }
}
