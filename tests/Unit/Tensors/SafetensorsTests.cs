using System.Buffers.Binary;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Tensors;

public sealed class SafetensorsTests
{
    [Fact]
    public void What_is_written_reads_back_bit_for_bit()
    {
        using var work = new TemporaryFolder();
        Prop.ForAll(Gen.Choose(0, 40).Two().ToArbitrary(), size =>
        {
            string path = Path.Combine(work.Path, Guid.NewGuid().ToString("N"));
            TensorExpression a = MemoryTensor.Range(size.Item1, size.Item2), b = MemoryTensor.Range(3, 5).Cast(DType.BF16);
            SafetensorsWriter.Write(path, [new("ä.\"x\"", a), new("b", b)], new Dictionary<string, string> { ["k"] = "v" });
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return file.Get("ä.\"x\"").ToBytes().AsSpan().SequenceEqual(a.ToBytes())
                && file.Get("b").ToBytes().AsSpan().SequenceEqual(b.ToBytes())
                && file.Tensors[0].Offset % 8 == 0 && file.Metadata["k"] == "v";
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_file_cut_at_any_byte_is_refused()
    {
        using var work = new TemporaryFolder();
        string whole = Path.Combine(work.Path, "whole"), cut = Path.Combine(work.Path, "cut");
        SafetensorsWriter.Write(whole, [new("a", MemoryTensor.Range(3, 4)), new("b", MemoryTensor.Range(2, 2))]);
        byte[] bytes = File.ReadAllBytes(whole);
        for (int length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(cut, bytes[..length]);
            Should.Throw<AdapterFormatException>(() => SafetensorsFile.Open(cut).Dispose(), $"{length} bytes");
        }
    }

    [Fact]
    public void Random_changes_of_the_header_never_do_worse_than_a_refusal()
    {
        using var work = new TemporaryFolder();
        string path = Path.Combine(work.Path, "f");
        SafetensorsWriter.Write(path, [new("a", MemoryTensor.Range(3, 4)), new("b", MemoryTensor.Range(2, 2))]);
        byte[] bytes = File.ReadAllBytes(path);
        var random = new Random(11);
        string changed = Path.Combine(work.Path, "changed");
        for (int round = 0; round < 3000; round++)
        {
            byte[] copy = [.. bytes];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                copy[random.Next(copy.Length - 64)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(changed, copy);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(changed);
                foreach (TensorInfo tensor in file.Tensors)
                {
                    (tensor.Offset + tensor.ByteLength).ShouldBeLessThanOrEqualTo(copy.Length);
                }
            }
            catch (AdapterFormatException e)
            {
                e.Path.ShouldBe(changed);
            }
        }
    }

    [Theory]
    [InlineData("""{"__metadata__":null,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, true)]
    [InlineData("""{"b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 4, true)]
    [InlineData("""{"e":{"dtype":"F8_E4M3","shape":[0,9],"data_offsets":[0,0]}}""", 0, true)]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", 4, false)]
    [InlineData("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}""", 4, false)]
    [InlineData("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", 4, false)]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, false)]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775807,2],"data_offsets":[0,4]}}""", 4, false)]
    [InlineData("""{"a":{"dtype":"F24","shape":[1],"data_offsets":[0,4]}}""", 4, false)]
    public void Headers_are_read_or_refused_by_the_rules_of_the_format(string json, int data, bool valid)
    {
        using var work = new TemporaryFolder();
        string path = Path.Combine(work.Path, "f");
        byte[] header = Encoding.UTF8.GetBytes(json);
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
        File.WriteAllBytes(path, [.. prefix, .. header, .. new byte[data]]);
        if (valid)
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            file.Tensors.Count.ShouldBeGreaterThan(0);
        }
        else
        {
            Should.Throw<AdapterFormatException>(() => SafetensorsFile.Open(path).Dispose()).Message.ShouldContain(path);
        }
    }

    [Fact]
    public void Narrowing_rounds_to_nearest_even_and_keeps_NaN()
    {
        ElementConversion.ToBFloat16(BitConverter.UInt32BitsToSingle(0x3F80_8000)).ShouldBe((ushort)0x3F80);
        ElementConversion.ToBFloat16(BitConverter.UInt32BitsToSingle(0x3F81_8000)).ShouldBe((ushort)0x3F82);
        float.IsNaN(ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(BitConverter.UInt32BitsToSingle(0x7F80_0001)))).ShouldBeTrue();
        double justAboveTie = 1 + Math.ScaleB(1, -8) + Math.ScaleB(1, -40);
        ElementConversion.ToBFloat16(justAboveTie).ShouldBe((ushort)0x3F81);
        for (int bits = 0; bits < 65536; bits++)
        {
            float value = ElementConversion.FromBFloat16((ushort)bits);
            if (!float.IsNaN(value))
            {
                ElementConversion.ToBFloat16(value).ShouldBe((ushort)bits);
                ElementConversion.ToBFloat16((double)value).ShouldBe((ushort)bits);
            }
        }
    }
}
