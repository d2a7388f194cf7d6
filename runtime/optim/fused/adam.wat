;; One Adam step over arrays of float32 that lie in the memory of TensorFlow.js's wasm backend, four numbers at a time.
;; Writes the new parameters elsewhere ($o), because the backend keeps packed copies of weights that it has multiplied with, and changes
;; the first and second moments in place. build.ts turns this file into adam_bytes.ts.
(module
  (import "backend" "memory" (memory 0))
  (func (export "adam")
    (param $p i32) (param $o i32) (param $g i32) (param $m i32) (param $v i32) (param $count i32)
    (param $c1 f32) (param $beta2 f32) (param $c2 f32) (param $rate f32) (param $eps f32) (param $keep f32) (param $l2 f32)
    (local $end i32) (local $vectorEnd i32)
    (local $P v128) (local $G v128) (local $M v128) (local $V v128)
    (local $ps f32) (local $gs f32) (local $ms f32) (local $vs f32)
    (local.set $end (i32.add (local.get $p) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $vectorEnd (i32.add (local.get $p) (i32.shl (i32.and (local.get $count) (i32.const -4)) (i32.const 2))))
    (block $vectorsDone
      (loop $vectors
        (br_if $vectorsDone (i32.ge_u (local.get $p) (local.get $vectorEnd)))
        (local.set $P (v128.load align=4 (local.get $p)))
        (local.set $M (v128.load align=4 (local.get $m)))
        (local.set $V (v128.load align=4 (local.get $v)))
        ;; g + l2·p
        (local.set $G (f32x4.add (v128.load align=4 (local.get $g)) (f32x4.mul (f32x4.splat (local.get $l2)) (local.get $P))))
        ;; m + (g − m)·(1 − beta1)
        (local.set $M (f32x4.add (local.get $M)
          (f32x4.mul (f32x4.sub (local.get $G) (local.get $M)) (f32x4.splat (local.get $c1)))))
        ;; v·beta2 + g²·(1 − beta2)
        (local.set $V (f32x4.add (f32x4.mul (local.get $V) (f32x4.splat (local.get $beta2)))
          (f32x4.mul (f32x4.mul (local.get $G) (local.get $G)) (f32x4.splat (local.get $c2)))))
        (v128.store align=4 (local.get $m) (local.get $M))
        (v128.store align=4 (local.get $v) (local.get $V))
        ;; p·keep − m / (√v + eps) · rate
        (v128.store align=4 (local.get $o) (f32x4.sub
          (f32x4.mul (local.get $P) (f32x4.splat (local.get $keep)))
          (f32x4.mul
            (f32x4.div (local.get $M) (f32x4.add (f32x4.sqrt (local.get $V)) (f32x4.splat (local.get $eps))))
            (f32x4.splat (local.get $rate)))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $o (i32.add (local.get $o) (i32.const 16)))
        (local.set $g (i32.add (local.get $g) (i32.const 16)))
        (local.set $m (i32.add (local.get $m) (i32.const 16)))
        (local.set $v (i32.add (local.get $v) (i32.const 16)))
        (br $vectors)))
    (block $done
      (loop $rest
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $ps (f32.load (local.get $p)))
        (local.set $ms (f32.load (local.get $m)))
        (local.set $gs (f32.add (f32.load (local.get $g)) (f32.mul (local.get $l2) (local.get $ps))))
        (local.set $ms (f32.add (local.get $ms) (f32.mul (f32.sub (local.get $gs) (local.get $ms)) (local.get $c1))))
        (local.set $vs (f32.add (f32.mul (f32.load (local.get $v)) (local.get $beta2))
          (f32.mul (f32.mul (local.get $gs) (local.get $gs)) (local.get $c2))))
        (f32.store (local.get $m) (local.get $ms))
        (f32.store (local.get $v) (local.get $vs))
        (f32.store (local.get $o) (f32.sub
          (f32.mul (local.get $ps) (local.get $keep))
          (f32.mul (f32.div (local.get $ms) (f32.add (f32.sqrt (local.get $vs)) (local.get $eps))) (local.get $rate))))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (local.set $o (i32.add (local.get $o) (i32.const 4)))
        (local.set $g (i32.add (local.get $g) (i32.const 4)))
        (local.set $m (i32.add (local.get $m) (i32.const 4)))
        (local.set $v (i32.add (local.get $v) (i32.const 4)))
        (br $rest)))))
