using Sway.Inference.Mlx;

namespace Sway.Unit.Inference;

/// <summary>What tests of the MLX engine begin with.</summary>
internal static class NativeMlx
{
    /// <summary>Skips the test where mlx-c does not load, and says why; fails it where SWAY_REQUIRE_NATIVE is 1.</summary>
    public static void Require()
    {
        if (MlxRuntime.TryGet(out IReadOnlyList<NativeLibraryAttempt> attempts) is not null)
        {
            return;
        }

        string reason = MlxLibrary.Missing(attempts).Message;
        if (Environment.GetEnvironmentVariable("SWAY_REQUIRE_NATIVE") == "1")
        {
            Assert.Fail(reason);
        }

        Assert.Skip(reason);
    }
}
