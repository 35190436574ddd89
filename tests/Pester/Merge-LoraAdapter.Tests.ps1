BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $base = Join-Path $Samples base
    $bible = [IO.Path]::Combine($Samples, 'adapters', 'bible')
    $memorized = [IO.Path]::Combine($Samples, 'adapters', 'memorized')

    # A model of zeros of a configuration's sizes, so that a merged weight is the delta itself.
    function New-ZeroModel([string] $From, [string] $To) {
        $null = New-Item -ItemType Directory $To
        Copy-Item (Join-Path $From config.json) $To
        $config = Get-Content (Join-Path $From config.json) -Raw | ConvertFrom-Json
        $hidden, $feed = $config.hidden_size, $config.intermediate_size
        $queries, $keys = ($config.num_attention_heads * $config.head_dim), ($config.num_key_value_heads * $config.head_dim)
        $shapes = [ordered] @{}
        foreach ($layer in 0..($config.num_hidden_layers - 1)) {
            $path = "model.layers.$layer"
            $shapes["$path.self_attn.q_proj.weight"] = $queries, $hidden
            $shapes["$path.self_attn.k_proj.weight"] = $keys, $hidden
            $shapes["$path.self_attn.v_proj.weight"] = $keys, $hidden
            $shapes["$path.self_attn.o_proj.weight"] = $hidden, $queries
            $shapes["$path.mlp.gate_proj.weight"] = $feed, $hidden
            $shapes["$path.mlp.up_proj.weight"] = $feed, $hidden
            $shapes["$path.mlp.down_proj.weight"] = $hidden, $feed
        }

        $header = [ordered] @{}
        $end = 0
        foreach ($name in $shapes.Keys) {
            $start, $end = $end, ($end + 4 * $shapes[$name][0] * $shapes[$name][1])
            $header[$name] = @{ dtype = 'F32'; shape = $shapes[$name]; data_offsets = $start, $end }
        }

        $json = [Text.Encoding]::UTF8.GetBytes(($header | ConvertTo-Json -Compress -Depth 4))
        [IO.File]::WriteAllBytes((Join-Path $To model.safetensors), [byte[]] ([BitConverter]::GetBytes([long] $json.Length) + $json + [byte[]]::new($end)))
        $To
    }
}

Describe 'Merge-LoraAdapter' {
    BeforeEach {
        $work = (New-Item -ItemType Directory (Join-Path $TestDrive ([guid]::NewGuid()))).FullName
        $out = Join-Path $work out
    }

    Context 'into the base model' {
        It 'writes a whole model' {
            $result = Merge-LoraAdapter $bible $out -BaseModel $base
            $result.Method | Should -BeExactly Model
            $result.ModuleCount | Should -Be 28
            $result.TensorCount | Should -Be 28
            (Get-ChildItem $out).Name | Should -Be (Get-ChildItem $base).Name
            (Get-Item (Join-Path $out model.safetensors)).Length | Should -Be (Get-Item (Join-Path $base model.safetensors)).Length
            (Get-FileHash (Join-Path $out model.safetensors)).Hash | Should -Not -BeExactly (Get-FileHash (Join-Path $base model.safetensors)).Hash
            (Get-FileHash (Join-Path $out tokenizer.json)).Hash | Should -BeExactly (Get-FileHash (Join-Path $base tokenizer.json)).Hash
        }

        It 'gives the bits that PEFT gives' {
            $case = [IO.Path]::Combine($Root, 'tests', 'Fixtures', 'mlx', 'merge', 'peft-lora-llama-bf16')
            $expected = Get-Content (Join-Path $case expected.json) -Raw | ConvertFrom-Json
            $null = Merge-LoraAdapter (Join-Path $case adapter) $out -BaseModel ([IO.Path]::Combine($Root, 'tests', 'Fixtures', 'mlx', $expected.model))
            $merged = [IO.File]::ReadAllBytes((Join-Path $out model.safetensors))
            $length = [BitConverter]::ToInt64($merged, 0)
            $header = [Text.Encoding]::UTF8.GetString($merged, 8, $length) | ConvertFrom-Json -AsHashtable
            $name = $header.Keys | Where-Object { $_ -like '*q_proj.weight' } | Select-Object -First 1
            $from = 8 + $length + $header[$name].data_offsets[0]
            $to = 8 + $length + $header[$name].data_offsets[1] - 1
            $hash = [Convert]::ToHexString([Security.Cryptography.SHA256]::HashData([byte[]] $merged[$from..$to])).ToLowerInvariant()
            $hash | Should -BeExactly $expected.sha256.$name
        }

        It 'merges a Megatron checkpoint as it merges its conversion' {
            $megatron = [IO.Path]::Combine($Root, 'tests', 'Fixtures', 'megatron')
            $model = New-ZeroModel ([IO.Path]::Combine($megatron, 'bases', 'llama-a')) (Join-Path $work zero)
            $run = [IO.Path]::Combine($megatron, 'lora-tp2-f32', 'checkpoint')
            $result = Merge-LoraAdapter $run $out -BaseModel $model
            $result.TensorCount | Should -Be 14
            $null = ConvertTo-PeftAdapter $run (Join-Path $work peft) -BaseModel $model | Merge-LoraAdapter -Destination "$out-2" -BaseModel $model
            (Get-FileHash (Join-Path $out model.safetensors)).Hash | Should -BeExactly (Get-FileHash (Join-Path "$out-2" model.safetensors)).Hash
            (Get-FileHash (Join-Path $out model.safetensors)).Hash | Should -Not -BeExactly (Get-FileHash (Join-Path $model model.safetensors)).Hash
        }

        It 'writes nothing under -WhatIf, and foretells refusals' {
            Merge-LoraAdapter $bible $out -BaseModel $base -WhatIf | Should -BeNullOrEmpty
            Test-Path $out | Should -BeFalse
            Merge-LoraAdapter $bible $out -BaseModel ([IO.Path]::Combine($Root, 'tests', 'Fixtures', 'megatron', 'bases', 'llama-a')) -WhatIf -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem[0].Exception.Refusals.Category | Should -Contain NeedsBase
        }

        It 'replaces an output only with -Force' {
            $null = Merge-LoraAdapter $bible $out -BaseModel $base
            Merge-LoraAdapter $memorized $out -BaseModel $base -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $problem[0].FullyQualifiedErrorId | Should -BeExactly 'OutputExists,Sway.PowerShell.Commands.MergeLoraAdapterCommand'
            (Merge-LoraAdapter $memorized $out -BaseModel $base -Force).Sources | Should -Be $memorized
        }

        It 'shows a table' {
            Merge-LoraAdapter $bible $out -BaseModel $base | Out-String -Width 120 | Should -Match 'Sources +Method +Rank'
        }
    }

    Context 'several into one' {
        It 'writes the exact weighted sum by default' {
            $result = Merge-LoraAdapter $bible, $memorized $out -Weight 0.7, 0.3
            $result.Method | Should -BeExactly Cat
            $result.Rank | Should -Be 12
            (Get-LoraAdapterInfo $out).Ranks | Should -Be 12
            # Of the sum, only its own two parts are left: twice the first less the first is the first again.
            $twice = Merge-LoraAdapter $bible, $bible (Join-Path $work twice) -Weight 2, -1
            Compare-LoraAdapter $twice.FullName $bible | ForEach-Object RelativeDifference | Measure-Object -Maximum |
                ForEach-Object Maximum | Should -BeLessThan 1e-6
        }

        It 'takes them from the pipeline, and cuts to -Rank' {
            $result = Get-Item $bible, $memorized | Merge-LoraAdapter -Destination $out -Method Svd -Rank 6
            $result.Rank | Should -Be 6
            $result.Sources | Should -Be $bible, $memorized
        }

        It 'combines by <_>' -ForEach Ties, MagnitudePrune, TiesSvd, MagnitudePruneSvd, Linear {
            $result = Merge-LoraAdapter $memorized, $memorized $out -Method $_ -Density 0.5
            $result.Method | Should -BeExactly $_
            $result.Rank | Should -Be 4
        }

        It 'takes as many weights as adapters' {
            { Merge-LoraAdapter $bible, $memorized $out -Weight 1 } | Should -Throw -ErrorId 'ParameterInvalid,*'
        }

        It 'knows which parameters need several adapters, and which a single one' {
            { Merge-LoraAdapter $bible $out -BaseModel $base -Method Cat } | Should -Throw -ErrorId 'ParameterInvalid,*'
            { Merge-LoraAdapter $bible, $memorized $out -SafeMerge } | Should -Throw -ErrorId 'ParameterInvalid,*'
        }

        It 'refuses DoRA' {
            Merge-LoraAdapter $bible, ([IO.Path]::Combine($Samples, 'adapters', 'law')) $out -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $problem[0].Exception.Refusals.Category | Should -Contain MixedDora
            Test-Path $out | Should -BeFalse
        }
    }
}
