// 引入支付工具
import vkPay from '@/uni_modules/vk-uni-pay/js_sdk/vk-pay.js';

export default {
  methods: {
    async handlePay() {
      try {
        uni.showLoading({
          title: '创建订单中...',
          mask: true
        });

        // 创建支付订单
        let paymentRes = await vk.callFunction({
          url: 'pay/createPayment',
          data: {
            provider: 'wxpay',
            out_trade_no: 'ORDER_' + Date.now(),
            total_fee: 100,
            subject: '测试商品',
            type: 'goods',
            custom: {
              user_id: this.userInfo._id,
              goods_id: this.goodsId,
              quantity: 1
            }
          }
        });

        uni.hideLoading();

        if (paymentRes.code === 0) {
          uni.showLoading({
            title: '调起支付中...',
            mask: true
          });

          // 调起支付
          let payRes = await vkPay.pay({
            provider: paymentRes.provider,
            orderInfo: paymentRes.orderInfo
          });

          uni.hideLoading();

          if (payRes.code === 0) {
            uni.showToast({
              title: '支付成功',
              icon: 'success'
            });
            
            // 处理支付成功逻辑
            await this.handlePaymentSuccess(paymentRes.out_trade_no);
          } else {
            uni.showToast({
              title: payRes.msg || '支付失败',
              icon: 'none'
            });
          }
        } else {
          uni.showToast({
            title: paymentRes.msg || '创建订单失败',
            icon: 'none'
          });
        }
      } catch (err) {
        uni.hideLoading();
        console.error('支付失败:', err);
        uni.showToast({
          title: '支付失败，请重试',
          icon: 'none'
        });
      }
    },

    async handlePaymentSuccess(orderNo) {
      // 查询订单状态确认
      let checkRes = await vk.callFunction({
        url: 'pay/queryPayment',
        data: {
          out_trade_no: orderNo
        }
      });

      if (checkRes.code === 0 && checkRes.data.trade_state === 'SUCCESS') {
        // 跳转到成功页面
        uni.redirectTo({
          url: '/pages/order/success?order_no=' + orderNo
        });
      }
    }
  }
}
